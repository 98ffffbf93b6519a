import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';

/** Characters that a header can have; tokens, secret ids and JWTs have no others. */
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * A credential from a Secret, without the newline that an editor adds. Throws `CREDENTIALS_MISSING` if it cannot be a
 * credential; the message does not quote it.
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
