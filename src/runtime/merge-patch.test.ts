import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '#src/kube/json.ts';
import { applyMergePatch, toMergePatch } from './merge-patch.ts';

const json = fc.letrec<{ value: unknown; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'constructor'), tie('value'), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
}));

describe('toMergePatch', () => {
  test('turns the old value into the new one', () => {
    fc.assert(
      fc.property(json.object, json.object, (before, after) => {
        expect(applyMergePatch(before, toMergePatch(before, after) ?? {})).toEqual(after);
      }),
    );
  });

  test('takes a member named __proto__ for data', () => {
    const before: JsonObject = Object.fromEntries([['__proto__', { a: 1 }]]);
    const patch = toMergePatch(before, {}) ?? {};
    expect(Object.entries(applyMergePatch(before, patch))).toEqual([]);
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
