import { isUtf8 } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';

const REDACTED = '[secret]';

/**
 * The bytes of one secret key, from socket to socket. Everything that could print it (string conversion, JSON,
 * console, template literals) yields `[secret]`; the bytes come out only through `reveal()`.
 */
export class SecretValue {
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Takes ownership of `bytes`; the caller must not change them afterwards. */
  static fromBytes(bytes: Uint8Array): SecretValue {
    return new SecretValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  static fromUtf8(text: string): SecretValue {
    return new SecretValue(Buffer.from(text, 'utf8'));
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

  /** Compares byte for byte, in time that depends only on the length. */
  equals(other: SecretValue): boolean {
    return this.#bytes.byteLength === other.#bytes.byteLength && timingSafeEqual(this.#bytes, other.#bytes);
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
