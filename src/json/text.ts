/*
 * JSON text, token by token, for values that must keep what a parser would lose: the digits of a number, the order of names.
 * Every function here expects text that JSON.parse accepts.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
export const COMMA = 0x2c;
export const COLON = 0x3a;

/** Gets the position of each token: a string with its quotes, a number, a literal, or one sign; and its first character. */
export type VisitToken = (start: number, end: number, first: number) => void;

/** Visits all tokens, without the space between them. No allocations: a server chooses the text. */
export function eachToken(text: string, visit: VisitToken): void {
  let start = 0;
  while (start < text.length) {
    const first = text.charCodeAt(start);
    if (isSpace(first)) {
      start += 1;
      continue;
    }
    const end = endOfToken(text, start, first);
    visit(start, end, first);
    start = end;
  }
}

function endOfToken(text: string, start: number, first: number): number {
  let end = start + 1;
  if (isSign(first)) return end;
  if (first === QUOTE) return endOfString(text, end);
  while (end < text.length && !isSign(text.charCodeAt(end)) && !isSpace(text.charCodeAt(end))) end += 1;
  return end;
}

/** The position after the quote that ends a string. `from`: of a character of the string, not within an escape. */
export function endOfString(text: string, from: number): number {
  let end = from;
  for (let code = text.charCodeAt(end); code !== QUOTE && end < text.length; code = text.charCodeAt(end))
    end += code === BACKSLASH ? 2 : 1;
  return end + 1;
}

/** Space, tab, newline and carriage return. */
export function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** `{`, `}`, `[`, `]`, `,` and `:`. */
function isSign(code: number): boolean {
  return isOpening(code) || isClosing(code) || code === COMMA || code === COLON;
}

/** `{` and `[`. */
export function isOpening(code: number): boolean {
  return code === 0x7b || code === 0x5b;
}

/** `}` and `]`. */
export function isClosing(code: number): boolean {
  return code === 0x7d || code === 0x5d;
}

/** 1 after a token that begins an object or an array, -1 after one that ends it. */
export function levelsAfter(first: number): number {
  if (isOpening(first)) return 1;
  return isClosing(first) ? -1 : 0;
}

/** The same value without space and with only those escapes that JSON requires. Numbers and the order of names stay. */
export function compactJson(text: string): string {
  return mapTokens(text);
}

/** Equal for two texts if they are the same value, with names in the same order: 1.10, 1.1 and 11e-1 are the same number. */
export function comparableJson(text: string): string {
  return mapTokens(text, decimalOf);
}

/** The tokens, each string with only the escapes that JSON requires, each number as `spelled` returns it; absent: as it is. */
function mapTokens(text: string, spelled?: (token: string) => string): string {
  const parts: string[] = [];
  let from = 0;
  let to = 0;
  let backslash = -1;
  // What stays as it is, is copied in one piece.
  eachToken(text, (start, end, first) => {
    if (backslash < start) backslash = indexOrEnd(text, start);
    const isString = first === QUOTE;
    const isChanged = isString ? backslash < end : spelled !== undefined && isNumber(first);
    if (start !== to || isChanged) {
      parts.push(text.slice(from, to));
      from = start;
    }
    if (isChanged) {
      const token = text.slice(start, end);
      parts.push(isString ? JSON.stringify(JSON.parse(token)) : (spelled?.(token) ?? token));
      from = end;
    }
    to = end;
  });
  return parts.join('') + text.slice(from, to);
}

/** Index of the next backslash. */
function indexOrEnd(text: string, start: number): number {
  const index = text.indexOf('\\', start);
  return index === -1 ? text.length : index;
}

/** True if a token with this first character is a string. */
export function isString(first: number): boolean {
  return first === QUOTE;
}

/** True if a token with this first character is a number. */
export function isNumber(first: number): boolean {
  return first === 0x2d || (first >= 0x30 && first <= 0x39);
}

/** An exponent of more digits is compared as it is written. */
const MAX_EXPONENT_DIGITS = 15;

/** One spelling for all spellings of a number: digits without zeros at either end, and the exponent of the last one. */
export function decimalOf(token: string): string {
  const sign = token.startsWith('-') ? '-' : '';
  const [mantissa = '', power = '0'] = token.slice(sign.length).toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = whole + fraction;
  let start = 0;
  while (all.charCodeAt(start) === 0x30) start += 1;
  if (start === all.length) return `${sign}0`;
  let end = all.length;
  while (all.charCodeAt(end - 1) === 0x30) end -= 1;
  if (power.length > MAX_EXPONENT_DIGITS) return token;
  return `${sign}${all.slice(start, end)}e${Number(power) - fraction.length + all.length - end}`;
}
