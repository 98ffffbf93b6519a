import { isUtf8 } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import { comparableJson, compactJson } from '#src/json/text.ts';

const REDACTED = '[secret]';

/**
 * The bytes of one secret key, from socket to socket. Everything that could print it (string conversion, JSON,
 * console, template literals) yields `[secret]`; the bytes come out only through `reveal()`.
 */
export class SecretValue {
  readonly #bytes: Buffer;
  /** True for a JSON value that is not a string. Its bytes are its text. */
  readonly isJson: boolean;

  private constructor(bytes: Buffer, isJson = false) {
    this.#bytes = bytes;
    this.isJson = isJson;
  }

  /** Takes ownership of `bytes`; the caller must not change them afterwards. */
  static fromBytes(bytes: Uint8Array): SecretValue {
    return new SecretValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  static fromUtf8(text: string): SecretValue {
    return new SecretValue(Buffer.from(text, 'utf8'));
  }

  /**
   * A number, boolean, null, array or object: another value than the string with the same text. `text` is what JSON.parse
   * accepts; the bytes are the same without space between tokens and with only those escapes that JSON requires.
   */
  static fromJson(text: string): SecretValue {
    return new SecretValue(Buffer.from(compactJson(text), 'utf8'), true);
  }

  /** The same bytes as text. */
  asText(): SecretValue {
    return new SecretValue(this.#bytes);
  }

  /** The bytes themselves. Only for codecs at a socket; never log, store or compare the result elsewhere. */
  reveal(): Buffer {
    return this.#bytes;
  }

  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  /** True when the bytes are well-formed UTF-8, so that storing them as text gives back the same bytes. */
  isText(): boolean {
    return isUtf8(this.#bytes);
  }

  /**
   * Compares byte for byte, in time that depends only on the length. JSON equals only JSON, and its numbers are compared
   * by their decimal value, because a server can return 1.10 as 1.1.
   */
  equals(other: SecretValue): boolean {
    if (this.isJson !== other.isJson) return false;
    if (sameBytes(this.#bytes, other.#bytes)) return true;
    return this.isJson && comparableJson(textOf(this)) === comparableJson(textOf(other));
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.toPrimitive](): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

function sameBytes(left: Buffer, right: Buffer): boolean {
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}

function textOf(value: SecretValue): string {
  return value.reveal().toString('utf8');
}
