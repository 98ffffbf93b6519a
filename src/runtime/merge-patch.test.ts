import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { toMergePatch } from './merge-patch.ts';

/** RFC 7386, section 2. */
function apply(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const result: Record<string, unknown> = isJsonObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = apply(result[name], value);
  }
  return result;
}

const json = fc.letrec<{ value: unknown; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value'), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
}));

describe('toMergePatch', () => {
  test('turns the old value into the new one', () => {
    fc.assert(
      fc.property(json.object, json.object, (before, after) => {
        expect(apply(before, toMergePatch(before, after) ?? {})).toEqual(after);
      }),
    );
  });

  test('is undefined exactly when nothing differs', () => {
    fc.assert(
      fc.property(json.object, (status) => {
        expect(toMergePatch(status, structuredClone(status))).toBeUndefined();
        expect(toMergePatch(status, { ...status, extra: 1 })).toEqual({ extra: 1 });
      }),
    );
  });

  test('has null for removed members, replaces arrays as a whole and omits the rest', () => {
    const before = { keys: [1, 2], progress: '1/2', summary: { total: 2, failed: 1 }, same: { a: [1] } };
    const after = { keys: [1], summary: { total: 2 }, same: { a: [1] } };
    expect(toMergePatch(before, after)).toEqual({ keys: [1], progress: null, summary: { failed: null } });
  });
});
