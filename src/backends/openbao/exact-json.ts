import { parseJson } from '#src/json/parse.ts';
import { COLON, COMMA, eachToken, isClosing, isString, levelsAfter } from '#src/json/text.ts';

/*
 * JSON.parse loses the digits of large numbers. Members that are not strings therefore keep their text, from reply to request.
 */

/** Text that is JSON already: a member of a reply that is not a string, or the body of a request. */
export class JsonText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get text(): string {
    return this.#text;
  }
}

/** An object as JSON text, from names and the texts of their values. */
export function objectText(members: Iterable<readonly [name: string, value: JsonText]>): JsonText {
  const parts = [...members].map(([name, { text }]) => `${JSON.stringify(name)}:${text}`);
  return new JsonText(`{${parts.join(',')}}`);
}

/**
 * Parses JSON. In the object at this path, members that are not strings become a JsonText. An object of strings costs nothing
 * more than JSON.parse. Throws what JSON.parse throws.
 */
export function parseExactly(text: string, path: readonly string[]): unknown {
  const body: unknown = parseJson(text);
  const parent = path.slice(0, -1).reduce(memberOf, body);
  const name = path.at(-1) ?? '';
  const parsed = memberOf(parent, name);
  if (!isObject(parent) || !isObject(parsed)) return body;
  const members = Object.entries(parsed);
  if (members.every(([, value]) => typeof value === 'string')) return body;
  const texts = membersIn(path.reduce((object, part) => membersIn(object).get(part) ?? '{}', text));
  const exact = members.map(([member, value]) => [
    member,
    typeof value === 'string' ? value : new JsonText(texts.get(member) ?? 'null'),
  ]);
  parent[name] = Object.fromEntries(exact);
  return body;
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text of each member of an object; of the last one, if several have the same name, as in JSON.parse. */
function membersIn(object: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  let depth = 0;
  let name: string | undefined;
  let from = 0;
  const atTop = (start: number, end: number, first: number): void => {
    if (first === COLON) from = end;
    else if (name === undefined) name = isString(first) ? parsedName(object, start, end) : undefined;
    else if (first === COMMA || isClosing(first)) {
      members.set(name, object.slice(from, start).trim());
      name = undefined;
    }
  };
  eachToken(object, (start, end, first) => {
    if (depth === 1) atTop(start, end, first);
    depth += levelsAfter(first);
  });
  return members;
}

function parsedName(text: string, start: number, end: number): string {
  return String(parseJson(text.slice(start, end)));
}
