import { describe, expect, it } from 'vitest';
import { parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { planDigest } from '#src/core/plan-digest.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { MigrationJournal } from './journal.ts';
import { reportOf } from './report-object.ts';

/*
 * Tables of versions that wrote one row for each key (ADR 0074). They are read without a loss, and written back as rows for
 * documents.
 */

const { signal } = new AbortController();
const KEYS = ['host', 'password', 'user'];

function outcomeOf(index: number): Outcome {
  const name = `doc-${String(index).padStart(3, '0')}`;
  const planned = { action: 'Create', path: `ns/${name}`, source: { version: '7', identity: 's' } } as const;
  return {
    name,
    keys: KEYS,
    state: 'Verified',
    destination: { path: `ns/${name}`, version: '2', identity: 'i', priorVersion: '1', created: false },
    source: { version: '7', identity: 's' },
    planned,
  };
}

function migrationWith(status: object) {
  const parsed = parseSecretMigration({
    ...aMigration('m', { sourcePolicy: 'Delete' }),
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1 },
    status: structuredClone(status),
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

async function open(status: object, reports: MemoryReports) {
  const parts = { logger: new RecordedLog(), clock: new ManualClock(), signal, rules: [] };
  const migration = migrationWith(status);
  return MigrationJournal.open({ migration, reports, acknowledgesLoss: false, ...parts });
}

/** As an earlier version wrote it, and the API server returns it: with the default of `keys`. */
function aRowForEachKey({ keys, ...row }: StatusRow): StatusRow[] {
  return keys.map((key) => ({ ...row, key, keys: [] }));
}

/** Rows that fit into one report, whatever the version. */
const ROWS_OF_A_REPORT = 200;

/** A table of so many documents as this version writes it, and the same as an earlier version left it. */
async function tables(documents: number) {
  const reports = new MemoryReports();
  const journal = await open({}, reports);
  for (let index = 0; index < documents; index += 1) await journal.record(outcomeOf(index));
  await journal.storeReports();
  const { keys, reports: promised, ...status } = journal.table();
  const earlier = new MemoryReports();
  const rows = reports.rows().flatMap(aRowForEachKey);
  const count = Math.ceil(rows.length / ROWS_OF_A_REPORT);
  for (let shard = 0; shard < count; shard += 1)
    await earlier.create(reportOf(migrationWith({}), shard, rowsOf(rows, shard)));
  const inStatus = keys === undefined ? {} : { keys: keys.flatMap(aRowForEachKey) };
  const inReports = promised === undefined ? {} : { reports: { ...promised, count } };
  return { journal, reports, earlier, status: { ...status, ...inStatus, ...inReports } };
}

function rowsOf(rows: readonly StatusRow[], shard: number): readonly StatusRow[] {
  const start = shard * ROWS_OF_A_REPORT;
  return rows.slice(start, start + ROWS_OF_A_REPORT);
}

describe.each([
  ['a status', 20],
  ['reports', 400],
])('a table in %s with a row for each key', (_where, documents) => {
  it('is read as the same documents, without a loss, and releases the same approved plan', async () => {
    const { earlier, journal, status } = await tables(documents);
    const next = await open(status, earlier);
    expect(next.loss).toBeUndefined();
    expect(next.promisesTooMuch).toBe(false);
    expect(next.counts()).toEqual(journal.counts());
    expect(next.counts()).toMatchObject({
      total: documents * KEYS.length,
      verified: documents * KEYS.length,
    });
    const { since: _since, ...first } = next.prior.get('doc-000') ?? {};
    expect(first).toEqual(outcomeOf(0));
    expect(planDigest({}, next.outcomes())).toBe(planDigest({}, journal.outcomes()));
  });

  it('becomes one with a row for each document, as if this version had written it', async () => {
    const { earlier, journal, reports, status } = await tables(documents);
    const next = await open(status, earlier);
    for (let index = 0; index < documents; index += 1) await next.record(outcomeOf(index));
    next.dropUnvisited();
    await next.storeReports();
    expect(next.table().keys).toEqual(journal.table().keys);
    const written = earlier.rows();
    expect(written).toHaveLength(journal.table().keys === undefined ? documents : 0);
    expect(written.toSorted(byName)).toEqual(reports.rows().toSorted(byName));
    expect(next.table().reports?.rows).toBe(journal.table().reports?.rows);
  });

  it('is whole again after a run that was killed while it wrote the reports', async () => {
    const { earlier, journal, status } = await tables(documents);
    const killed = await open(status, earlier);
    await killed.record(outcomeOf(0));
    await killed.storeReports();
    const next = await open(status, earlier);
    expect(next.loss).toBeUndefined();
    expect(next.counts()).toEqual(journal.counts());
    expect(next.prior.get('doc-000')?.keys).toEqual(KEYS);
  });
});

function byName(left: StatusRow, right: StatusRow): number {
  return left.name < right.name ? -1 : 1;
}
