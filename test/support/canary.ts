import { createHash, randomBytes } from 'node:crypto';

/** A value that is nowhere else in the world, so that whatever contains a part of it has leaked it. */
export interface Canary {
  /** What the value was planted as; for the message of a failed test. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Random at both ends, since fragments are found by them; what has to be escaped somewhere is in between. */
export function aTextCanary(name: string): Canary {
  const [head, tail] = [randomBytes(8), randomBytes(8)].map((bytes) => bytes.toString('hex'));
  return { name, bytes: Buffer.from(`${head} &="<ü>\\/+%\n${tail}`) };
}

/** A text of exactly this many bytes. */
export function aLongCanary(name: string, length: number): Canary {
  return { name, bytes: Buffer.from(randomBytes(length).toString('hex').slice(0, length)) };
}

/** Bytes that are no text, ASCII at both ends so that a lossy decoding of them is found as well. */
export function aBinaryCanary(name: string, length = 64): Canary {
  const bytes = randomBytes(length);
  bytes[Math.floor(length / 2)] = 0xff;
  bytes.write(randomBytes(6).toString('hex'), 0, 'latin1');
  bytes.write(randomBytes(6).toString('hex'), length - 12, 'latin1');
  return { name, bytes };
}

/** Bytes of a fragment: V8's JSON.parse quotes ten characters of what it choked on. */
const FRAGMENT = 10;

/** Digests are often shown by their first characters. */
const DIGEST_PREFIX = 12;

type Forms = Readonly<Record<string, readonly string[]>>;

/** Every text by which a part of the value or its digest would be recognized, by the name of the form; Latin-1. */
export function formsOf({ bytes }: Canary): Forms {
  const ends = [bytes.subarray(0, FRAGMENT), bytes.subarray(-FRAGMENT)];
  const base64 = ends.flatMap((end) => [0, 1, 2].map((shift) => stableBase64(end, shift)));
  const hex = ends.map((end) => end.toString('hex'));
  const percent = hex.map((text) => text.replaceAll(/../g, '%$&'));
  const digests = [bytes, Buffer.from(bytes.toString('base64'))].map(sha256);
  return {
    raw: ends.map((end) => end.toString('latin1')),
    base64,
    base64url: base64.map(toUrlAlphabet),
    hex,
    HEX: hex.map((text) => text.toUpperCase()),
    'url-encoded': percent,
    'URL-ENCODED': percent.map((text) => text.toUpperCase()),
    decimal: ends.map((end) => end.join(',')),
    'sha256 hex': digests.map((digest) => digest.toString('hex').slice(0, DIGEST_PREFIX)),
    'SHA256 HEX': digests.map((digest) => digest.toString('hex').slice(0, DIGEST_PREFIX).toUpperCase()),
    'sha256 base64': digests.map((digest) => digest.toString('base64').slice(0, DIGEST_PREFIX)),
    'sha256 base64url': digests.map((digest) => digest.toString('base64url').slice(0, DIGEST_PREFIX)),
  };
}

/**
 * The characters of the base64 of any text that holds these bytes, `shift` bytes behind a multiple of three, which do
 * not depend on what stands before and behind them.
 */
function stableBase64(bytes: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
  return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
}

function toUrlAlphabet(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_');
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Names of the forms in which the canary is in `place`. */
export function findCanary(canary: Canary, place: Buffer): readonly string[] {
  return Object.entries(formsOf(canary))
    .filter(([, texts]) => texts.some((text) => place.includes(text, 0, 'latin1')))
    .map(([form]) => form);
}

/** True when the number stands somewhere by itself: as a word, not as part of another number, of a name or of a time. */
export function findNumber(number: number, place: Buffer): boolean {
  return new RegExp(`(?<![\\w.-])${number}(?![\\w-]|\\.\\d)`).test(place.toString('latin1'));
}
