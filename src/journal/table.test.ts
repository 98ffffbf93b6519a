import { describe, expect, it } from 'vitest';
import { MAX_ROW_KEYS } from '#src/api/v1alpha1/status-row.ts';
import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';
import { toPriorRecords, toRows } from './rows.ts';
import { isDone, RowTable } from './table.ts';

const FIRST = Date.parse('2026-01-01T00:00:00Z');
const LATER = Date.parse('2026-01-02T00:00:00Z');

function verified(version: string, more: Partial<Outcome> = {}): Outcome {
  return { name: 'a', keys: ['k'], state: 'Verified', destination: { path: 'p', version }, ...more };
}

const tableOf = (...prior: readonly PriorRecord[]) =>
  new RowTable(new Map(prior.map((record) => [record.name, record])));

describe('the time of a row', () => {
  it.each<[string, Outcome]>([
    ['another version at the destination', verified('2')],
    ['no version', { ...verified('1'), destination: { path: 'p' } }],
    ['another state', verified('1', { state: 'Failed' })],
    ['another reason', verified('1', { reason: 'Projected' })],
    ['another path', verified('1', { destination: { path: 'q', version: '1' } })],
    ['another incarnation', verified('1', { destination: { path: 'p', version: '1', identity: 'i' } })],
    ['a copy that this run wrote', verified('1', { copiedNow: true })],
  ])('starts again with %s', (_what, after) => {
    const table = tableOf();
    table.set(verified('1'), FIRST);
    expect(table.set(after, LATER).since).toBe(toKubernetesTime(LATER));
  });

  it('stays for the same state of the same version, whatever else changes', () => {
    const table = tableOf();
    table.set(verified('1'), FIRST);
    const again = table.set(verified('1', { message: 'again', keys: ['k', 'l'] }), LATER);
    expect(again.since).toBe(toKubernetesTime(FIRST));
  });

  it.each(['AwaitingSoak', 'TrustRoot', 'ServerError'] as const)(
    'stays when the row of a proven document says why its source is still there: %s',
    (reason) => {
      const table = tableOf();
      table.set(verified('1'), FIRST);
      expect(table.set(verified('1', { reason }), LATER).since).toBe(toKubernetesTime(FIRST));
      expect(table.set(verified('1'), LATER).since).toBe(toKubernetesTime(FIRST));
    },
  );

  it('continues from what an earlier run recorded', () => {
    const table = tableOf({ ...verified('1'), since: FIRST });
    expect(table.set(verified('1'), LATER).since).toBe(toKubernetesTime(FIRST));
    expect(table.set(verified('2'), LATER).since).toBe(toKubernetesTime(LATER));
  });

  it('survives a round trip through a status, cut to whole seconds', () => {
    const table = tableOf();
    const rows = toRows(table.set(verified('1'), FIRST + 999));
    expect(toPriorRecords(rows).get('a')?.since).toBe(FIRST);
  });
});

describe('rows of a document', () => {
  it('are one for all its keys, and become one record again', () => {
    const two = verified('1', { keys: ['k', 'l'], source: { path: 's' }, rule: 'prefixes[0]', backup: 'b' });
    const none = verified('1', { name: 'b', keys: [] });
    const table = tableOf();
    const rows = [two, none].flatMap((outcome) => toRows(table.set(outcome, FIRST)));
    expect(rows.map(({ name, keys }) => [name, keys])).toEqual([
      ['a', ['k', 'l']],
      ['b', []],
    ]);
    const records = toPriorRecords(rows);
    expect(records.get('a')).toEqual({ ...two, since: FIRST });
    expect(records.get('b')).toEqual({ ...none, since: FIRST });
  });
});

describe('the table', () => {
  it('starts with what earlier runs recorded and keeps it when a document is announced', () => {
    const table = tableOf({ ...verified('1'), since: FIRST });
    table.expect({ name: 'a', keys: [], state: 'Pending' }, LATER);
    table.expect({ name: 'new', keys: [], state: 'Pending' }, LATER);
    expect([...table.outcomes()].map(({ name, state }) => [name, state])).toEqual([
      ['a', 'Verified'],
      ['new', 'Pending'],
    ]);
  });

  it('counts its rows, also of documents with more keys than one row has, and whose keys change', () => {
    const many = Array.from({ length: MAX_ROW_KEYS + 1 }, (_, index) => `key-${index}`);
    const table = tableOf({ ...verified('1', { keys: many }), since: FIRST });
    table.set(verified('1', { name: 'b', keys: [] }), FIRST);
    expect([table.size, table.rowCount]).toEqual([2, 3]);
    table.set(verified('1'), FIRST);
    expect(table.rowCount).toBe(2);
  });

  it('drops exactly the documents that a run did not set', () => {
    const table = tableOf(
      { ...verified('1'), since: FIRST },
      { ...verified('1', { name: 'b' }), since: FIRST },
    );
    table.set(verified('1'), LATER);
    table.dropUnvisited();
    expect([[...table.outcomes()].map(({ name }) => name), table.rowCount]).toEqual([['a'], 1]);
  });

  it('is sorted by name', () => {
    const table = tableOf();
    for (const name of ['c', 'a', 'b']) table.set(verified('1', { name }), FIRST);
    expect([...table.entries()].map(({ outcome }) => outcome.name)).toEqual(['a', 'b', 'c']);
  });
});

it('a document is done when it needs no more work', () => {
  const states = ['Pending', 'Copied', 'Verified', 'Removed', 'Conflict', 'Failed', 'Skipped'] as const;
  const fine = states.filter((state) => isDone({ name: 'a', keys: [], state }));
  expect(fine).toEqual(['Verified', 'Removed', 'Skipped']);
});
