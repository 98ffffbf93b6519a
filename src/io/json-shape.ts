/** How much JSON a reply may have. Memory for parsed JSON grows with its parts, not with its bytes. */
export interface JsonLimits {
  /** Maximum of `{`, `[`, `,` and `:` outside of strings: each begins one value or one name at most. */
  readonly maxTokens: number;
  /** Maximum of `{` and `[` that are open at once. */
  readonly maxDepth: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
/** `[` and `]` with this bit are `{` and `}`. No other byte becomes one of them. */
const CURLY_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * True if these bytes, parsed as JSON, would have more parts or deeper ones than the limits allow. One pass without
 * allocations, before a parser sees them: 31 MiB of `{"a":{},…` take more than 512 MiB as objects. Works on any bytes and
 * never throws; whether they are JSON is for the parser to say. A byte of a UTF-8 sequence is never one of the ASCII
 * characters that count.
 */
export function exceedsJson(bytes: Uint8Array, { maxTokens, maxDepth }: JsonLimits): boolean {
  let tokens = 0;
  let depth = 0;
  for (let index = 0; index < bytes.byteLength; index += 1) {
    const byte = bytes[index] ?? 0;
    if (byte === QUOTE) {
      index = endOfString(bytes, index + 1);
    } else if (byte === COMMA || byte === COLON) {
      tokens += 1;
    } else if ((byte | CURLY_BIT) === OPEN) {
      tokens += 1;
      depth += 1;
    } else if ((byte | CURLY_BIT) === CLOSE) {
      depth -= 1;
    }
    if (tokens > maxTokens || depth > maxDepth) return true;
  }
  return false;
}

/** Index of the quote that ends the string, or the end of the bytes. */
function endOfString(bytes: Uint8Array, start: number): number {
  let index = start;
  while (index < bytes.byteLength && bytes[index] !== QUOTE) index += bytes[index] === BACKSLASH ? 2 : 1;
  return index;
}
