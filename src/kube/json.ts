import { OperatorError } from '#src/errors.ts';
import { parseJson } from '#src/json/parse.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Bytes of a reply → JSON; `REPLY_INVALID` otherwise. */
export function jsonOfReply(
  bytes: Uint8Array,
  detail: { readonly op: string; readonly target: string },
): unknown {
  try {
    return parseJson(utf8.decode(bytes), isOfManagedFields);
  } catch {
    // The parser's error quotes its input, which may be a Secret: it is deliberately dropped.
    throw new OperatorError('REPLY_INVALID', { ...detail, detail: 'A reply is not valid JSON.' });
  }
}

/**
 * Whether a name can only be one of metadata.managedFields that stands for a member of a list, by its keys or its value. Almost every
 * object has some, and nobody reads them.
 */
function isOfManagedFields(written: string): boolean {
  return written.startsWith('k:{\\"') || written.startsWith('v:\\"');
}
