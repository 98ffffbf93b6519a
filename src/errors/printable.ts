/*
 * What servers and users send reaches terminals through status fields, events and logs. Anything but letters, marks, numbers,
 * punctuation, symbols and the space is escaped at these edges: control characters, and those that turn the direction of text
 * or are not visible.
 */

const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

/**
 * Whether the text has only printable characters. This is also what KV paths and custom metadata allow (Go's
 * unicode.IsPrint); the server can refuse characters of a newer Unicode. A lone surrogate is not printable.
 */
export function isPrintable(text: string): boolean {
  return PRINTABLE.test(text);
}

/** The same, and the escape character itself. */
const UNPRINTABLE_OR_ESCAPE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|\\/gu;

/** The text with `\u{1b}` for each character that is not printable. */
export function escaped(text: string): string {
  return text.replaceAll(UNPRINTABLE, escapeOf);
}

/** A name that is safe to show, escaped like a text, and each backslash too: different names stay different. */
export function escapedName(name: string): string {
  return name.replaceAll(UNPRINTABLE_OR_ESCAPE, escapeOf);
}

function escapeOf(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** The same JSON: JSON has an escape for each character, so nothing is lost. `json` is one line. */
export function escapedJson(json: string): string {
  return json.replaceAll(UNPRINTABLE, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
