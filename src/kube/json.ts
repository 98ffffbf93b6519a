import { OperatorError } from '#src/errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Bytes of a reply → JSON; `REPLY_INVALID` otherwise. */
export function parseJson(
  bytes: Uint8Array,
  detail: { readonly op: string; readonly target: string },
): unknown {
  try {
    return JSON.parse(utf8.decode(bytes)) as unknown;
  } catch {
    // The parser's error quotes its input, which may be a Secret: it is deliberately dropped.
    throw new OperatorError('REPLY_INVALID', { ...detail, detail: 'A reply is not valid JSON.' });
  }
}
