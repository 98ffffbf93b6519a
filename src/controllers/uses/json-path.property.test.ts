import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '#src/json/parse.ts';
import { valuesAt } from './json-path.ts';

/** What a path leads to, written down as it is defined: slow, and with a stack. */
function model(value: unknown, path: readonly string[]): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap((item) => model(item, path));
  const [member, ...rest] = path;
  if (member === undefined) return typeof value === 'string' ? [{ text: value }] : [{ isOther: true }];
  if (typeof value !== 'object') return [{ isOther: true }];
  return Object.entries(value).flatMap(([key, below]) => (key === member ? model(below, rest) : []));
}

/** Few names, so that paths lead somewhere; among them those that every object inherits. */
const anyName = fc.constantFrom('a', 'b', 'name', '__proto__', 'constructor', 'toString', '0', 'length');
const { object: anyObject } = fc.letrec<{ readonly object: unknown }>((tie) => ({
  object: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie('object'), { maxLength: 4 }),
    fc
      .array(fc.tuple(anyName, tie('object')), { maxLength: 4 })
      // As JSON.parse makes it: __proto__ is a member like any other.
      .map((members) =>
        parseJson(
          `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`,
        ),
      ),
  ),
}));

describe('a dotted path', () => {
  it('leads to what its definition says, in order, in any JSON', () => {
    fc.assert(
      fc.property(anyObject, fc.array(anyName, { minLength: 1, maxLength: 5 }), (object, path) => {
        expect([...valuesAt(object, path)]).toEqual(model(object, path));
      }),
    );
  });

  it('visits no value twice, so its time is linear in the size of the object', () => {
    fc.assert(
      fc.property(anyObject, fc.array(anyName, { minLength: 1, maxLength: 5 }), (object, path) => {
        expect([...valuesAt(object, path)].length).toBeLessThanOrEqual(sizeOf(object));
      }),
    );
  });

  it('leads through lists that are nested deeper than calls can be', () => {
    const deep = parseJson(`${'['.repeat(5_000)}{"a":"db"}${']'.repeat(5_000)}`);
    let wrapped = deep;
    for (let depth = 0; depth < 100_000; depth += 1) wrapped = [wrapped];
    expect([...valuesAt(wrapped, ['a'])]).toEqual([{ text: 'db' }]);
  });
});

it.each<readonly [what: string, object: unknown, found: readonly unknown[]]>([
  ['a member', { spec: { secretRef: { name: 'db' } } }, [{ text: 'db' }]],
  [
    'each item of a list',
    { spec: [{ secretRef: [{ name: 'a' }, { name: 'b' }] }] },
    [{ text: 'a' }, { text: 'b' }],
  ],
  ['nothing, if it is absent', { spec: {} }, []],
  ['nothing, if it is null', { spec: { secretRef: null } }, []],
  ['nothing that every object inherits', { spec: Object.create({ secretRef: { name: 'db' } }) }, []],
  [
    'what is not a name, if the path is too short',
    { spec: { secretRef: { name: { of: 'db' } } } },
    [{ isOther: true }],
  ],
  ['what is not a name, if the path is too long', { spec: { secretRef: 'db' } }, [{ isOther: true }]],
])('spec.secretRef.name leads to %s', (_what, object, found) => {
  expect([...valuesAt(object, ['spec', 'secretRef', 'name'])]).toEqual(found);
});

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item), 1);
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, item) => sum + sizeOf(item), 1);
}
