import { COLON, COMMA, eachToken, endOfString, isClosing, isOpening, isSpace } from './text.ts';

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

const BRACKET = 0x5b;

/**
 * What the text says. Throws what JSON.parse throws, which quotes the text. `isUnread` is asked about escaped names, as they are
 * written: those that nobody reads can be wrong, which saves a second look at a large text.
 */
export function parseJson(text: string, isUnread: (written: string) => boolean = () => false): unknown {
  const parsed: unknown = JSON.parse(text);
  return hasEscapedName(text, isUnread) ? built(text) : parsed;
}

/** The same; undefined for what is not JSON. For texts that may have values: the error of the parser quotes its input. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
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
  while (isSpace(text.charCodeAt(next))) next += 1;
  return text.charCodeAt(next) === COLON;
}

type Container = unknown[] | Record<string, unknown>;

/** The same, token by token: each string is parsed by itself, so no name is compared with another. */
function built(text: string): unknown {
  const open: Container[] = [];
  let name: string | undefined;
  let whole: unknown;
  const put = (value: unknown): void => {
    const container = open.at(-1);
    if (container === undefined) whole = value;
    else if (Array.isArray(container)) container.push(value);
    else if (name === undefined) name = String(value);
    else {
      define(container, name, value);
      name = undefined;
    }
  };
  eachToken(text, (start, end, first) => {
    if (first === COMMA || first === COLON) return;
    if (isClosing(first)) open.pop();
    else if (isOpening(first)) {
      const container = first === BRACKET ? [] : {};
      put(container);
      open.push(container);
    } else put(JSON.parse(text.slice(start, end)));
  });
  return whole;
}

/** `__proto__` is a name like any other. */
function define(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true });
  } else object[name] = value;
}
