/** How much JSON a reply may have. Memory for parsed JSON grows with its parts, not with its bytes. */
export interface JsonLimits {
  /** Maximum of `{`, `[`, `,` and `:` outside of strings: each begins one value or one name at most. */
  readonly maxTokens: number;
  /** Maximum of `{` and `[` that are open at once. */
  readonly maxDepth: number;
}

const QUOTE = '"'.charCodeAt(0);
const BACKSLASH = '\\'.charCodeAt(0);
/** By byte outside of strings: the tokens that it is, and what it adds to the depth. */
const TOKENS = tableOf({ '{': 1, '[': 1, ',': 1, ':': 1 });
const NESTING = tableOf({ '{': 1, '[': 1, '}': -1, ']': -1 });

function tableOf(values: Readonly<Record<string, number>>): Int8Array {
  const table = new Int8Array(256);
  for (const [character, value] of Object.entries(values)) table[character.charCodeAt(0)] = value;
  return table;
}

/**
 * Counts the parts of JSON as its bytes arrive, before a parser sees them: 31 MiB of `{"a":{},…` take more than 512 MiB as objects.
 * Allocates nothing, works on any bytes and never throws; whether they are JSON is for the parser to say. A byte of a UTF-8
 * sequence is never one of the ASCII characters that count.
 */
export class JsonShape {
  readonly #limits: JsonLimits;
  #tokens = 0;
  #depth = 0;
  #isInString = false;
  /** Bytes of the next chunk that an escape at the end of this one covers: 0 or 1. */
  #escaped = 0;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
  }

  /**
   * True if the bytes up to the end of this chunk have more parts or deeper ones than the limits allow; then it is of no more use. One
   * loop without calls: the large replies are those of a start, when nothing is compiled yet.
   */
  exceeds(chunk: Uint8Array): boolean {
    const { maxTokens, maxDepth } = this.#limits;
    const { length } = chunk;
    let [tokens, depth, isInString, index] = [this.#tokens, this.#depth, this.#isInString, this.#escaped];
    while (index < length) {
      const byte = chunk[index] ?? 0;
      index += 1;
      if (isInString) {
        if (byte === QUOTE) isInString = false;
        else if (byte === BACKSLASH) index += 1;
      } else if (byte === QUOTE) {
        isInString = true;
      } else {
        tokens += TOKENS[byte] ?? 0;
        depth += NESTING[byte] ?? 0;
        if (depth > maxDepth) return true;
      }
    }
    this.#tokens = tokens;
    this.#depth = depth;
    this.#isInString = isInString;
    this.#escaped = index - length;
    return tokens > maxTokens;
  }
}
