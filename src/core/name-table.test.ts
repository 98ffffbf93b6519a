import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyIndex } from './key-index.ts';
import { NameTable, ownText } from './name-table.ts';

const name = fc.oneof(fc.string({ maxLength: 3 }), fc.string({ unit: 'binary', maxLength: 40 }));
const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `name-${index}`);

describe('a table of names', () => {
  it('has each name once, in the order in which it came, with its marks', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.integer({ min: 0, max: 2 }))), (added) => {
        const table = new NameTable();
        const expected = new Map<string, number>();
        for (const [each, mark] of added) {
          table.mark(table.add(each), mark);
          expected.set(each, (expected.get(each) ?? 0) | mark);
        }
        expect(Array.from({ length: table.size }, (_, item) => table.nameAt(item))).toEqual([
          ...expected.keys(),
        ]);
        for (const [each, marks] of expected) {
          const item = table.indexOf(each) ?? -1;
          expect([1, 2].filter((mark) => table.isMarked(item, mark))).toEqual(
            [1, 2].filter((mark) => (marks & mark) !== 0),
          );
        }
      }),
    );
  });

  it('finds all of very many names and no other, and forgets a mark that was taken back', () => {
    const table = new NameTable();
    const names = numbered(20_000);
    for (const each of names) table.mark(table.add(each), 4);
    expect(names.every((each, item) => table.indexOf(each) === item)).toBe(true);
    expect(
      numbered(40_000)
        .slice(20_000)
        .some((each) => table.has(each)),
    ).toBe(false);
    for (let item = 1; item < table.size; item += 1) table.unmark(item, 4);
    expect([...table.marked(4)]).toEqual([0]);
  });
});

describe('an index that keeps no keys', () => {
  it('tells of two items with one key, in whatever order they come, and finds the first', () => {
    fc.assert(
      fc.property(fc.array(name), (keys) => {
        const index = new KeyIndex((item) => keys[item]);
        for (const [item, key] of keys.entries()) {
          const first = keys.indexOf(key);
          expect(index.add(item, key)).toBe(first === item ? undefined : first);
        }
        for (const key of keys) expect(index.find(key)).toBe(keys.indexOf(key));
        expect(index.find('a key that is too long to be one of these, by far'.repeat(2))).toBeUndefined();
      }),
    );
  });

  it('has one item of many that share a few bits of their keys', () => {
    const keys = Array.from({ length: 5_000 }, (_, item) => String.fromCharCode(item * 8, 0, item % 3));
    const index = new KeyIndex((item) => keys[item]);
    for (const [item, key] of keys.entries()) index.add(item, key);
    expect(keys.every((key, item) => index.find(key) === item)).toBe(true);
  });
});

it('a text of its own is the same text, whatever it has in it', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xff_ff })), (units) => {
      const text = String.fromCharCode(...units);
      expect(ownText(text)).toBe(text);
    }),
  );
});
