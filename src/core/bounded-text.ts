import { createHash } from 'node:crypto';
import { escaped, isPrintable } from '#src/errors/printable.ts';

/*
 * Names of any length and content, as a row of bounded length holds them.
 */

const TAG = /…[0-9a-f]{16}$/;
const TAG_LENGTH = 17;

/**
 * `text` if it has at most `max` UTF-16 units and is printable; else its beginning, escaped, and a tag, within `max`. Different texts
 * have different results: the tag depends on the whole name, and a text that already ends like a tag gets a tag too. So a
 * result is cut if and only if `isCut` says so. `max` is at least 32.
 */
export function boundedText(text: string, max: number): string {
  if (fits(text, max)) return text;
  // The digest is over names, never over values. UTF-16 keeps lone surrogates apart, which UTF-8 replaces.
  const tag = createHash('sha256')
    .update(Buffer.from(text, 'utf16le'))
    .digest('hex')
    .slice(0, TAG_LENGTH - 1);
  return `${beginningOf(escaped(text.slice(0, max)), max - TAG_LENGTH)}…${tag}`;
}

/** True when `boundedText` would return the text unchanged. */
export function fits(text: string, max: number): boolean {
  return text.length <= max && isPrintable(text) && !TAG.test(text);
}

/** True for a result of `boundedText` that is not the whole text. */
export function isCut(bounded: string): boolean {
  return TAG.test(bounded);
}

/** At most `max` UTF-16 units of the text as Unicode: no character is cut in half. */
export function beginningOf(text: string, max: number): string {
  const end = isHighSurrogate(text.charCodeAt(max - 1)) ? max - 1 : max;
  return text.slice(0, text.length <= max ? max : end).toWellFormed();
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd8_00 && unit <= 0xdb_ff;
}
