import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compactJson } from '#src/json/text.ts';
import { jsonText } from '#test/support/json-texts.ts';
import { JsonText, objectText, parseExactly } from './exact-json.ts';

const name = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', '10', '2', 'data'));

/** The text of each member; of a string, its literal. */
function textsIn(data: object): Readonly<Record<string, string>> {
  const texts = Object.entries(data).map(([key, value]: [string, unknown]) => [
    key,
    value instanceof JsonText ? value.text : JSON.stringify(value),
  ]);
  return Object.fromEntries(texts);
}

function dataOf(text: string, path: readonly string[]): object {
  let found = parseExactly(text, path);
  for (const part of path)
    found = isObject(found) ? new Map<string, unknown>(Object.entries(found)).get(part) : found;
  if (!isObject(found)) throw new Error('expected an object');
  return found;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

describe('the members of a reply', () => {
  it('keep the text that the server sent, through a request and another reply', () => {
    const check = (members: readonly (readonly [string, string])[]): void => {
      const sent = objectText(members.map(([key, text]) => [key, new JsonText(text)] as const)).text;
      const reply = `{"x":{"data":{"a":1}}, "data" : {"data": ${sent} , "metadata":{"version":1}}}`;
      const data = dataOf(reply, ['data', 'data']);
      const expected = Object.fromEntries(members);
      expect(Object.keys(data).toSorted()).toEqual(Object.keys(expected).toSorted());
      for (const [key, text] of Object.entries(textsIn(data)))
        expect(compactJson(text)).toBe(compactJson(expected[key] ?? ''));
      for (const value of Object.values(data) as unknown[])
        if (value instanceof JsonText) expect(Object.values(expected)).toContain(value.text);
      const again = objectText(Object.entries(textsIn(data)).map(([key, text]) => [key, new JsonText(text)]));
      expect(textsIn(dataOf(`{"data":${again.text}}`, ['data']))).toEqual(textsIn(data));
    };
    const trimmed = jsonText.map((text) => text.trim());
    fc.assert(fc.property(fc.array(fc.tuple(name, trimmed), { maxLength: 8 }), check), { numRuns: 1_000 });
  });

  it('are those that JSON.parse takes if a name is there twice', () => {
    const reply = '{"data":{"a":1},"data":{"a":{"b":2},"a":3.0,"c":"x"}}';
    expect(textsIn(dataOf(reply, ['data']))).toEqual({ a: '3.0', c: '"x"' });
  });

  it.each(['{"data":null}', '{"data":[1]}', '{"errors":[]}', '[]', '1', '{"data":{"a":"x"}}'])(
    'leave the reply %s as JSON.parse reads it',
    (reply) => expect(parseExactly(reply, ['data'])).toEqual(JSON.parse(reply)),
  );

  it.each(['{"data":{"a":1}', '', '{"data":{"a":01}}'])(
    'are not looked for in %j, which is not JSON',
    (reply) => expect(() => parseExactly(reply, ['data'])).toThrow(SyntaxError),
  );
});
