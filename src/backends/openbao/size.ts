import type { SecretValue } from '#src/core/secret-value.ts';
import type { Refusal } from '../refusal.ts';
import { stringsOf } from './json-values.ts';

/*
 * The server stores a version as one JSON text written by Go's encoding/json and refuses an entry above 1 MiB with a
 * 500 that a client cannot distinguish from a temporary failure (measured: it accepts a text of 1,048,000 bytes, but
 * not of 1,048,500; 170,000 `<`, but not 200,000). So the size is computed before a request is sent.
 */

/** Maximum bytes of the stored JSON of a document; the rest of the entry is metadata and encryption. */
export const MAX_STORED_BYTES = 1_040_000;

/** Maximum keys if the server counts the JSON strings of a request (default of its listener): 3 + 2 per key. */
export const MAX_FIELDS_WHERE_COUNTED = 498;

/** Why the server counts too many strings in a request with these keys, or undefined; undefined limit: it does not count. */
export function countRefusalOf(
  fields: ReadonlyMap<string, SecretValue>,
  limit: number | undefined,
): Refusal | undefined {
  if (limit === undefined || stringsOf(fields) <= 2 * limit) return undefined;
  const isOfKeys = fields.size > limit;
  const most = isOfKeys ? `${limit} keys` : `${2 * limit} names and strings, those in JSON values included,`;
  return { reason: 'TooManyKeys', message: `The server accepts at most ${most} in one document.` };
}

/** No byte is stored as more than this many, and each key has a few of its own. */
const MOST_BYTES_PER_BYTE = 6;
const BYTES_PER_KEY = 8;

/** True if the document is certainly small enough, whatever its bytes are. */
export function isCertainlyStorable(fields: ReadonlyMap<string, SecretValue>): boolean {
  let bytes = 0;
  for (const [name, value] of fields) bytes += Buffer.byteLength(name) + value.byteLength + BYTES_PER_KEY;
  return bytes * MOST_BYTES_PER_BYTE < MAX_STORED_BYTES;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ESCAPED_IN_TWO = new Set([QUOTE, BACKSLASH, 0x0a, 0x0d, 0x09]);
const HTML_SENSITIVE = new Set([0x3c, 0x3e, 0x26]);

/** Bytes of this UTF-8 text as a JSON string literal of Go, including quotes. */
export function storedTextSize(utf8: Uint8Array): number {
  let size = 2;
  for (let index = 0; index < utf8.byteLength; index += 1) {
    const byte = utf8[index] ?? 0;
    if (byte >= 0x80) size += isLineSeparatorEnd(utf8, index) ? 4 : 1;
    else size += asciiCost(byte);
  }
  return size;
}

function asciiCost(byte: number): number {
  if (ESCAPED_IN_TWO.has(byte)) return 2;
  return byte < 0x20 || HTML_SENSITIVE.has(byte) ? 6 : 1;
}

/** U+2028 and U+2029 are E2 80 A8 and E2 80 A9, and are written as six bytes instead of three. */
function isLineSeparatorEnd(utf8: Uint8Array, index: number): boolean {
  const byte = utf8[index];
  return (byte === 0xa8 || byte === 0xa9) && utf8[index - 1] === 0x80 && utf8[index - 2] === 0xe2;
}

/**
 * Upper bound of the bytes of this compact JSON, written by Go: as in a text, but the quotes of its strings are there already,
 * and Go up to 1.21 writes \\b and \\f as six bytes.
 */
function storedJsonSize(utf8: Uint8Array): number {
  let size = 0;
  for (let index = 0; index < utf8.byteLength; index += 1) {
    const byte = utf8[index] ?? 0;
    if (byte === BACKSLASH) {
      const escaped = utf8[(index += 1)];
      size += escaped === 0x62 || escaped === 0x66 ? 6 : 2;
    } else if (HTML_SENSITIVE.has(byte)) size += 6;
    else size += isLineSeparatorEnd(utf8, index) ? 4 : 1;
  }
  return size;
}

/** Bytes of the standard base64 of `length` bytes, including quotes. */
function storedBase64Size(length: number): number {
  return 2 + 4 * Math.ceil(length / 3);
}

/** Upper bound of the stored JSON of these keys, in bytes; `inBase64`: true for a key that is stored as base64. */
export function storedSize(
  fields: ReadonlyMap<string, SecretValue>,
  inBase64: (name: string) => boolean,
): number {
  let size = 2;
  for (const [name, value] of fields) {
    size += storedTextSize(Buffer.from(name, 'utf8')) + 2;
    size += storedValueSize(value, inBase64(name));
  }
  return size;
}

function storedValueSize(value: SecretValue, asBase64: boolean): number {
  if (value.isJson) return storedJsonSize(value.reveal());
  return asBase64 ? storedBase64Size(value.byteLength) : storedTextSize(value.reveal());
}
