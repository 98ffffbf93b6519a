import { eachToken, endOfString, isString } from './text.ts';

/*
 * JSON.parse, without an error of V8 (https://issues.chromium.org/issues/521080746, in Node 24 and 26): it can return another
 * name for a name with an escape. V8 remembers which name came next in earlier objects of any origin, and compares that with
 * the text of the name before its escapes are resolved:
 *
 *   {"x":1,"ab\\":2}   parsed first, has the names x and ab\
 *   {"x":1,"ab\"":2}   then has the names x and ab\ as well, not ab"
 *
 * Values are not concerned, nor is a text that is one string.
 */

/** Begins each placeholder: a name that is a number would come first. */
const PREFIX = 'n';
const COLON = 0x3a;

/**
 * What the text says. Throws what JSON.parse throws, which quotes the text, and a RangeError for escaped names in objects that are
 * nested deeper than calls can be. `isUnread` is asked about escaped names, as they are written: those that nobody reads can be wrong,
 * which saves a second look at a large text.
 */
export function parseJson(text: string, isUnread: (written: string) => boolean = () => false): unknown {
  const parsed: unknown = JSON.parse(text);
  if (!hasEscapedName(text, isUnread)) return parsed;
  const { names, replaced } = withPlaceholders(text);
  return renamed(JSON.parse(replaced), names);
}

/** Looks at strings with escapes only. */
function hasEscapedName(text: string, isUnread: (written: string) => boolean): boolean {
  let escape = text.indexOf('\\');
  while (escape !== -1) {
    const end = endOfString(text, escape);
    // The first escape of its string, so the quote before it begins the string.
    const start = text.lastIndexOf('"', escape);
    if (isName(text, end) && !isUnread(text.slice(start + 1, end - 1))) return true;
    escape = text.indexOf('\\', end);
  }
  return false;
}

/** True if this is the end of a name, and not of a value. */
function isName(text: string, end: number): boolean {
  let next = end;
  while (next < text.length && text.charCodeAt(next) <= 0x20) next += 1;
  return text.charCodeAt(next) === COLON;
}

/** The text with a placeholder for each name, the same for equal ones, and the names by the numbers of their placeholders. */
function withPlaceholders(text: string): { readonly replaced: string; readonly names: readonly string[] } {
  const parts: string[] = [];
  const numbers = new Map<string, number>();
  let from = 0;
  let last = { start: 0, end: 0 };
  eachToken(text, (start, end, first) => {
    if (isString(first)) last = { start, end };
    if (first !== COLON) return;
    const name = String(JSON.parse(text.slice(last.start, last.end)));
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    parts.push(text.slice(from, last.start), `"${PREFIX}${number}"`);
    from = last.end;
  });
  return { replaced: parts.join('') + text.slice(from), names: [...numbers.keys()] };
}

/** Every name is a placeholder here. */
function renamed(value: unknown, names: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => renamed(item, names));
  const nameOf = (placeholder: string): string => names[Number(placeholder.slice(PREFIX.length))] ?? '';
  // Defines `__proto__` as a name like any other, as JSON.parse does.
  return Object.fromEntries(
    Object.entries(value).map(([placeholder, member]) => [nameOf(placeholder), renamed(member, names)]),
  );
}
