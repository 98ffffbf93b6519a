import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_REPORT_BYTES, MAX_REPORT_ROWS } from '#src/api/v1alpha1/secret-migration-report.ts';
import type { StatusRow } from '#src/api/v1alpha1/secret-migration.ts';
import { ShardBook } from './shard-book.ts';

function rowsOf(
  name: string,
  keys: number,
  state: StatusRow['state'] = 'Verified',
  message?: string,
): StatusRow[] {
  return Array.from({ length: keys }, (_, index) => ({
    name,
    key: `key-${index}`,
    state,
    ...(message === undefined ? {} : { message }),
    destination: { path: `ns/${name}`, version: '1' },
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }));
}

function allRows(book: ShardBook): StatusRow[] {
  return Array.from({ length: book.count }, (_, shard) => book.rowsOf(shard)).flat();
}

describe('ShardBook', () => {
  it('holds every row exactly once and no shard over its limits, whatever is set or deleted', () => {
    const action = fc.record({
      name: fc.integer({ min: 0, max: 40 }).map((n) => `secret-${n}`),
      keys: fc.integer({ min: 1, max: 700 }),
      gone: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const book = new ShardBook();
        const model = new Map<string, number>();
        for (const { name, keys, gone } of actions) {
          if (gone) book.delete(name);
          else book.set(name, rowsOf(name, keys));
          if (gone) model.delete(name);
          else model.set(name, keys);
        }
        const expected = [...model].flatMap(([name, keys]) =>
          rowsOf(name, keys).map((row) => `${name}/${row.key}`),
        );
        expect(
          allRows(book)
            .map((row) => `${row.name}/${row.key}`)
            .toSorted(),
        ).toEqual(expected.toSorted());
        for (let shard = 0; shard < book.count; shard += 1) {
          expect(book.rowsOf(shard).length).toBeLessThanOrEqual(MAX_REPORT_ROWS);
          expect(JSON.stringify(book.rowsOf(shard)).length).toBeLessThan(MAX_REPORT_BYTES);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps a document in its shard, so that a change of one row dirties one report', () => {
    const book = new ShardBook();
    for (let n = 0; n < 1200; n += 1) book.set(`secret-${n}`, rowsOf(`secret-${n}`, 1));
    expect(book.count).toBeGreaterThan(2);
    for (let shard = 0; shard < book.count; shard += 1) book.markClean(shard);
    book.set('secret-3', rowsOf('secret-3', 1, 'Removed'));
    expect(book.dirty(false)).toEqual([0]);
    book.markClean(0);
    book.set('secret-3', rowsOf('secret-3', 1, 'Removed'));
    expect(book.dirty(false)).toEqual([]);
  });

  it('drops messages rather than outgrow a report', () => {
    const book = new ShardBook();
    for (let n = 0; n < 500; n += 1) book.set(`s-${n}`, rowsOf(`s-${n}`, 1, 'Failed', 'm'.repeat(256)));
    for (let shard = 0; shard < book.count; shard += 1) {
      expect(JSON.stringify(book.rowsOf(shard)).length).toBeLessThan(MAX_REPORT_BYTES);
    }
    expect(allRows(book)).toHaveLength(500);
  });
});
