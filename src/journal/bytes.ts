import { parseJson } from '#src/json/parse.ts';
/*
 * Numbers and texts as bytes, and bytes as a flat string of one byte a character: for the engine that is the smallest thing that
 * a Map can hold, and unlike a slice or a concatenation it keeps no other string alive.
 */

/** How a text is written. It is not in the bytes: the reader is told. */
export type TextKind = 0 | 1 | 2 | 3;
const UTF8 = 0;
/** Sixteen bytes instead of 36 characters: most identities. */
const UUID = 1;
/** Four bits a character: versions and times. */
const DIGITS = 2;
/** With halves of characters, which UTF-8 does not have: as in JSON, without its quotes. */
const ESCAPED = 3;

const UUID_TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_BYTES = 16;
const DIGIT_TEXT = /^[-0-9:.TZ+]+$/;
const DIGIT_SET = '0123456789-:.TZ+';
const DIGIT_BYTES = Buffer.from(DIGIT_SET, 'latin1');
const DIGIT_CODES = codesOf(DIGIT_BYTES);
const HYPHEN = 0x2d;
/** Bytes of a UUID before which its text has a hyphen. */
const HYPHENS: ReadonlySet<number> = new Set([4, 6, 8, 10]);
const HEX = Buffer.from('0123456789abcdef', 'latin1');
const HEX_CODES = codesOf(HEX);

const FIRST_BYTES = 1024;
/** Bytes of the longest number. */
const NUMBER_BYTES = 8;
const BYTES_PER_CHARACTER = 3;

/** Bytes that grow. One is used again and again: `take` empties it. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  /** An integer from 0 to 2^53 - 1. */
  number(value: number): void {
    this.#reserve(NUMBER_BYTES);
    let rest = value;
    while (rest > 0x7f) {
      this.#byte((rest % 0x80) + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#byte(rest);
  }

  /** Any text; returns how it was written. */
  text(value: string): TextKind {
    const kind = kindOf(value);
    if (kind === UUID) this.#uuid(value);
    else if (kind === DIGITS) this.#digits(value);
    else this.#utf8(kind === UTF8 ? value : escaped(value));
    return kind;
  }

  /** Any text, with its kind. */
  any(value: string): void {
    const isWellFormed = value.isWellFormed();
    this.number(isWellFormed ? UTF8 : ESCAPED);
    this.#utf8(isWellFormed ? value : escaped(value));
  }

  /** Bytes of another writer as they are, without their length. */
  raw(packed: string): void {
    this.#reserve(packed.length);
    this.#length += this.#bytes.write(packed, this.#length, 'latin1');
  }

  take(): string {
    const packed = this.#bytes.toString('latin1', 0, this.#length);
    this.#length = 0;
    return packed;
  }

  #uuid(value: string): void {
    this.#reserve(UUID_BYTES);
    for (let index = 0; index < value.length; index += 2) {
      if (value.charCodeAt(index) === HYPHEN) index += 1;
      const high = HEX_CODES[value.charCodeAt(index)] ?? 0;
      this.#byte(high * 16 + (HEX_CODES[value.charCodeAt(index + 1)] ?? 0));
    }
  }

  #digits(value: string): void {
    this.number(value.length);
    this.#reserve(value.length);
    for (let index = 0; index < value.length; index += 2) {
      const high = DIGIT_CODES[value.charCodeAt(index)] ?? 0;
      const low = DIGIT_CODES[value.charCodeAt(index + 1)] ?? 0;
      this.#byte(high * 16 + low);
    }
  }

  #utf8(value: string): void {
    this.number(Buffer.byteLength(value));
    this.#reserve(value.length * BYTES_PER_CHARACTER);
    this.#length += this.#bytes.write(value, this.#length);
  }

  #byte(value: number): void {
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe((this.#length + more) * 2);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Reads what a writer wrote, in the same order. One is used again and again. */
export class ByteReader {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  readonly #text = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;
  #length = 0;

  open(packed: string): void {
    if (packed.length > this.#bytes.length) this.#bytes = Buffer.allocUnsafe(packed.length * 2);
    this.#length = this.#bytes.write(packed, 0, 'latin1');
    this.#at = 0;
  }

  number(): number {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.#byte();
      value += (byte % 0x80) * unit;
      if (byte < 0x80) return value;
      unit *= 0x80;
    }
  }

  text(kind: TextKind): string {
    if (kind === UUID) return this.#uuid();
    const length = this.number();
    if (kind === DIGITS) return this.#digits(length);
    const start = this.#at;
    this.#at += length;
    const text = this.#bytes.toString('utf8', start, this.#at);
    return kind === UTF8 ? text : unescaped(text);
  }

  /** A text that `any` wrote. */
  any(): string {
    return this.text(this.#byte() === UTF8 ? UTF8 : ESCAPED);
  }

  #uuid(): string {
    let length = 0;
    for (let index = 0; index < UUID_BYTES; index += 1) {
      if (HYPHENS.has(index)) length = this.#put(length, HYPHEN);
      const byte = this.#byte();
      length = this.#put(length, HEX[byte >> 4] ?? 0);
      length = this.#put(length, HEX[byte & 15] ?? 0);
    }
    return this.#text.toString('latin1', 0, length);
  }

  #digits(length: number): string {
    const out = length < this.#text.length ? this.#text : Buffer.allocUnsafe(length + 1);
    for (let index = 0; index < length; index += 2) {
      const byte = this.#byte();
      out[index] = DIGIT_BYTES[byte >> 4] ?? 0;
      out[index + 1] = DIGIT_BYTES[byte & 15] ?? 0;
    }
    return out.toString('latin1', 0, length);
  }

  #put(at: number, byte: number): number {
    this.#text[at] = byte;
    return at + 1;
  }

  #byte(): number {
    const byte = this.#at < this.#length ? this.#bytes[this.#at] : undefined;
    if (byte === undefined) throw new RangeError('packed bytes end too early');
    this.#at += 1;
    return byte;
  }
}

function kindOf(text: string): TextKind {
  if (DIGIT_TEXT.test(text)) return DIGITS;
  if (text.length === 36 && UUID_TEXT.test(text)) return UUID;
  return text.isWellFormed() ? UTF8 : ESCAPED;
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function unescaped(text: string): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the JSON of a text
  return parseJson(`"${text}"`) as string;
}

/** The place of each character in a set. */
function codesOf(set: Uint8Array): Uint8Array {
  const codes = new Uint8Array(128);
  for (const [code, character] of set.entries()) codes[character] = code;
  return codes;
}
