import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';

/** What a header can carry, and what tokens, secret ids and JWTs are made of. */
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * A credential as a Secret holds it, without the newline that an editor leaves behind. Throws `CREDENTIALS_MISSING` for
 * what cannot be one; the message says nothing of it.
 */
export function toCredential(
  stored: SecretValue,
  from: { readonly op: string; readonly target: string },
): SecretValue {
  const text = stored.reveal().toString('utf8').trim();
  if (PRINTABLE.test(text)) return SecretValue.fromUtf8(text);
  throw new OperatorError('CREDENTIALS_MISSING', {
    ...from,
    detail: 'The value of the key is empty, or has spaces or unprintable characters.',
    hint: 'Store the credential alone in the key.',
  });
}
