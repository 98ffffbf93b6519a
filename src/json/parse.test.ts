import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from './parse.ts';

/** Names that JSON has to escape, and names that look like their escapes: all that V8 can take for another. */
const aName = fc.oneof(
  fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'u', '0', 'a', '<', '😀'), maxLength: 4 }),
  fc.constantFrom('__proto__', '10', '2', 'n0', 'n1', '\\u003', 'ab\\'),
);

/** A value, and its text with some characters escaped that need not be. */
type Spelled = readonly [value: unknown, text: string];

const spelledString = (text: fc.Arbitrary<string>): fc.Arbitrary<readonly [string, string]> =>
  fc
    .tuple(text, fc.boolean())
    .map(([value, isEscaped]) => [value, isEscaped ? escaped(value) : JSON.stringify(value)]);

function escaped(text: string): string {
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`;
}

const { anything } = fc.letrec<{ anything: Spelled; list: Spelled; object: Spelled }>((tie) => ({
  list: fc
    .array(tie('anything'), { maxLength: 3 })
    .map((items) => [items.map(([value]) => value), `[${items.map(([, text]) => text).join(', ')}]`]),
  object: fc
    .array(fc.tuple(spelledString(aName), tie('anything')), { maxLength: 4 })
    .map((members) => [
      Object.fromEntries(members.map(([[name], [value]]) => [name, value])),
      `{ ${members.map(([[, name], [, text]]) => `${name} : ${text}`).join(',')}}`,
    ]),
  anything: fc.oneof(
    { maxDepth: 3 },
    spelledString(aName),
    fc.constantFrom<Spelled>([1.5, '1.5'], [null, 'null'], [true, 'true']),
    tie('list'),
    tie('object'),
  ),
}));

describe('a parsed text', () => {
  it.each([
    [String.raw`{"p":1,"ab\\":2}`, String.raw`{"p":1,"ab\"":2}`, ['p', 'ab"']],
    [String.raw`{"q":1,"ab\\":2}`, String.raw`{"q":1,"ab\n":2}`, ['q', 'ab\n']],
    [String.raw`{"r":1,"\\u003":2}`, String.raw`{"r":1,"\u003crest":2}`, ['r', '<rest']],
    [String.raw`{" ":1,"\\":2}`, String.raw`{" ":1,"\"":2}`, [' ', '"']],
  ])('has its own names after %s', (earlier, text, names) => {
    JSON.parse(earlier);
    expect(Object.keys(parseJson(text) ?? {})).toEqual(names);
  });

  it('has the names, values and order that were written, whatever was parsed before', () => {
    const check = ([value, text]: Spelled): void => {
      const parsed = parseJson(text);
      expect(parsed).toEqual(value);
      expect(JSON.stringify(parsed)).toBe(JSON.stringify(value));
    };
    fc.assert(fc.property(anything, check), { numRuns: 3_000 });
  });

  it('has the last value of a name that is written twice, in different ways', () => {
    expect(parseJson(String.raw`{"a":1,"b":2,"\u0061":3}`)).toEqual({ a: 3, b: 2 });
  });

  it('is what JSON.parse accepts, and nothing else', () => {
    const isAccepted = (parse: (text: string) => unknown, text: string): boolean => {
      try {
        parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const part = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '"a"', '\\"', '"\\""', '1', ' ');
    const anyText = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''));
    const check = (text: string): void => {
      expect(isAccepted(parseJson, text)).toBe(isAccepted((each) => JSON.parse(each), text));
    };
    fc.assert(fc.property(anyText, check), { numRuns: 5_000 });
  });

  it('can be nested deeper than calls can be', () => {
    const depth = 100_000;
    let parsed = parseJson(`${String.raw`{"\n":`.repeat(depth)}1${'}'.repeat(depth)}`);
    for (let level = 0; level < depth; level += 1) parsed = Object(parsed)['\n'];
    expect(parsed).toBe(1);
  });

  it('is not looked at twice for names that nobody reads', () => {
    const asked: string[] = [];
    const text = String.raw`{"v\"x":1,"a":"\"b\":"}`;
    const isUnread = (written: string): boolean => asked.push(written) > 0;
    expect(parseJson(text, isUnread)).toEqual(JSON.parse(text));
    expect(asked).toEqual([String.raw`v\"x`]);
  });
});
