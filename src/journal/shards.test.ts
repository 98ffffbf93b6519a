import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_REPORT_BYTES, MAX_REPORT_ROWS } from '#src/api/v1alpha1/secret-migration-report.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { ShardLayout, type Housed } from './shards.ts';

function rowsOf(
  name: string,
  keys: number,
  state: StatusRow['state'] = 'Verified',
  message?: string,
): StatusRow[] {
  return Array.from({ length: keys }, (_, index) => ({
    name,
    keys: [`key-${index}`],
    state,
    ...(message === undefined ? {} : { message }),
    destination: { path: `ns/${name}`, version: '1' },
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }));
}

/** A layout with the documents that it is about. */
class Documents {
  readonly layout = new ShardLayout((name) => this.#all.get(name));
  readonly #all = new Map<string, Housed>();

  set(name: string, rows: readonly StatusRow[]): void {
    const before = this.#all.get(name) ?? { homes: [], rows: [] };
    this.#all.set(name, { homes: this.layout.place(name, { ...before, after: rows }), rows });
  }

  delete(name: string): void {
    const document = this.#all.get(name);
    if (document !== undefined) this.layout.remove(document);
    this.#all.delete(name);
  }
}

function allRows(layout: ShardLayout): StatusRow[] {
  return Array.from({ length: layout.count }, (_, shard) => layout.rowsOf(shard)).flat();
}

describe('ShardLayout', () => {
  it('contains every row exactly once and no shard over its limits, whatever is set or deleted', () => {
    const action = fc.record({
      name: fc.integer({ min: 0, max: 40 }).map((n) => `secret-${n}`),
      keys: fc.integer({ min: 1, max: 700 }),
      gone: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const documents = new Documents();
        const { layout } = documents;
        const model = new Map<string, number>();
        for (const { name, keys, gone } of actions) {
          if (gone) documents.delete(name);
          else documents.set(name, rowsOf(name, keys));
          if (gone) model.delete(name);
          else model.set(name, keys);
        }
        const expected = [...model].flatMap(([name, keys]) =>
          rowsOf(name, keys).map((row) => `${name}/${row.keys[0]}`),
        );
        expect(
          allRows(layout)
            .map((row) => `${row.name}/${row.keys[0]}`)
            .toSorted(),
        ).toEqual(expected.toSorted());
        for (let shard = 0; shard < layout.count; shard += 1) {
          expect(layout.rowsOf(shard).length).toBeLessThanOrEqual(MAX_REPORT_ROWS);
          expect(JSON.stringify(layout.rowsOf(shard)).length).toBeLessThan(MAX_REPORT_BYTES);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps a document in its shard, so that a change of one row makes one report dirty', () => {
    const documents = new Documents();
    const { layout } = documents;
    for (let n = 0; n < 1200; n += 1) documents.set(`secret-${n}`, rowsOf(`secret-${n}`, 1));
    expect(layout.count).toBeGreaterThan(2);
    for (let shard = 0; shard < layout.count; shard += 1) layout.markClean(shard);
    documents.set('secret-3', rowsOf('secret-3', 1, 'Removed'));
    expect(layout.dirty(false)).toEqual([0]);
    layout.markClean(0);
    documents.set('secret-3', rowsOf('secret-3', 1, 'Removed'));
    expect(layout.dirty(false)).toEqual([]);
  });

  it('keeps a document with more keys in its shard while it fits, and moves it when it does not', () => {
    const documents = new Documents();
    const { layout } = documents;
    const withKeys = (name: string, count: number): StatusRow[] =>
      rowsOf(name, 1).map((row) => ({ ...row, keys: Array.from({ length: count }, (_, n) => `k${n}`) }));
    documents.set('first', withKeys('first', 1));
    documents.set('first', withKeys('first', 3));
    expect(layout.count).toBe(1);
    for (let n = 0; layout.count === 1; n += 1) documents.set(`s-${n}`, withKeys(`s-${n}`, 1));
    for (const shard of [0, 1]) layout.markClean(shard);
    documents.set('first', withKeys('first', 120));
    expect(layout.dirty(false)).toEqual([0, 1]);
    expect(layout.rowsOf(1).map(({ name }) => name)).toContain('first');
    expect(layout.keyCountOf(1)).toBe(121);
  });

  it('drops messages rather than exceed the size of a report', () => {
    const documents = new Documents();
    const { layout } = documents;
    for (let n = 0; n < 500; n += 1) documents.set(`s-${n}`, rowsOf(`s-${n}`, 1, 'Failed', 'm'.repeat(256)));
    for (let shard = 0; shard < layout.count; shard += 1) {
      expect(JSON.stringify(layout.rowsOf(shard)).length).toBeLessThan(MAX_REPORT_BYTES);
    }
    expect(allRows(layout)).toHaveLength(500);
  });
});
