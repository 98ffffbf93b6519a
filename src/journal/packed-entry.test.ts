import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  hasPrior,
  hasRow,
  isHomeless,
  isNews,
  isOpen,
  isStoredOtherwise,
  isUnvisited,
  packEntry,
  unpackEntry,
  type Entry,
} from './packed-entry.ts';

const packedRow = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 200 })
  .map((bytes) => String.fromCharCode(...bytes));
const aNumber = fc.integer({ min: 0, max: 100_000 });

const anyEntry: fc.Arbitrary<Entry> = fc
  .record({
    row: fc.option(packedRow, { nil: undefined }),
    prior: fc.oneof(fc.constant('the same' as const), fc.option(packedRow, { nil: undefined })),
    stored: fc.option(packedRow, { nil: undefined }),
    homes: fc.array(fc.record({ shard: aNumber, rows: aNumber }), { maxLength: 4 }),
    isVisited: fc.boolean(),
    isNews: fc.boolean(),
    isDone: fc.boolean(),
  })
  .map((entry) => ({ ...entry, prior: entry.prior === 'the same' ? entry.row : entry.prior }));

it('an entry is unpacked as it was, and its marks say the same', () => {
  fc.assert(
    fc.property(anyEntry, (entry) => {
      const packed = packEntry(entry);
      expect(unpackEntry(packed)).toEqual(entry);
      expect(hasRow(packed)).toBe(entry.row !== undefined);
      expect(hasPrior(packed)).toBe(entry.prior !== undefined);
      expect(isOpen(packed)).toBe(entry.row !== undefined && !entry.isDone);
      expect(isHomeless(packed)).toBe(entry.row !== undefined && entry.homes.length === 0);
      expect(isStoredOtherwise(packed)).toBe(entry.stored !== undefined);
      expect(isNews(packed)).toBe(entry.isNews);
      expect(isUnvisited(packed)).toBe(!entry.isVisited);
    }),
  );
});

it('a prior row that is also the row of the table is there once', () => {
  const entry = { homes: [], isVisited: true, isNews: false, isDone: true };
  const row = 'r'.repeat(100);
  const alone = packEntry({ ...entry, row });
  expect(packEntry({ ...entry, row, prior: row })).toHaveLength(alone.length);
  expect(packEntry({ ...entry, row, prior: `${row}x` }).length).toBeGreaterThan(alone.length + row.length);
});
