import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PackedStore } from './packed-store.ts';
import { objectKey, Store, type CachedObject } from './store.ts';

const text = fc.string({ unit: 'binary', maxLength: 8 });
const metadata = fc.record(
  {
    name: fc.constantFrom('a', 'b', 'c'),
    namespace: fc.constantFrom('x', 'y'),
    uid: text,
    resourceVersion: text,
    labels: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
  },
  { requiredKeys: ['name', 'namespace', 'uid', 'resourceVersion'] },
);
const change = fc.oneof(
  fc.record({ set: metadata }),
  fc.record({ delete: fc.constantFrom('x/a', 'x/b', 'y/a', 'y/c', 'z/a') }),
);

const NAMESPACE = { namespace: ({ metadata: { namespace = '' } }: CachedObject) => [namespace] };

describe('a store of packed objects', () => {
  it('answers as one that keeps the objects, whatever is set and deleted', () => {
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const packed = new PackedStore();
        const plain = new Store<CachedObject>(NAMESPACE);
        for (const each of changes) {
          const [left, right] = [packed, plain].map((store) =>
            'set' in each ? store.set({ metadata: each.set }) : store.delete(each.delete),
          );
          expect(left).toEqual(right);
        }
        expect(packed.size).toBe(plain.size);
        expect([...packed.keys()].toSorted()).toEqual([...plain.keys()].toSorted());
        for (const key of [...plain.keys(), 'z/a']) expect(packed.get(key)).toEqual(plain.get(key));
        expect([...packed.values()].map(keyOf).toSorted()).toEqual([...plain.values()].map(keyOf).toSorted());
        for (const namespace of ['x', 'y', 'z'])
          expect(sorted(packed.byIndex('namespace', namespace))).toEqual(
            sorted(plain.byIndex('namespace', namespace)),
          );
      }),
    );
  });

  it('knows no other index', () => {
    expect(() => new PackedStore().byIndex('owner', 'x')).toThrow(
      expect.objectContaining({ code: 'INVARIANT' }),
    );
  });

  it('keeps an object that is in no namespace', () => {
    const store = new PackedStore();
    store.set({ metadata: { name: 'a', uid: 'u', resourceVersion: '1' } });
    expect(store.get('a')).toEqual({ metadata: { name: 'a', uid: 'u', resourceVersion: '1' } });
    expect([...store.keys()]).toEqual(['a']);
  });
});

function keyOf(object: CachedObject): string {
  return objectKey(object.metadata);
}

function sorted(objects: readonly CachedObject[]): readonly CachedObject[] {
  return objects.toSorted((left, right) => keyOf(left).localeCompare(keyOf(right)));
}
