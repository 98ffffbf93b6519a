import { describe, expect, it } from 'vitest';
import { parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { MAX_ROW_KEYS, type StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { MigrationJournal } from './journal.ts';
import { reportOf } from './report-object.ts';

/*
 * Documents with rows in several reports.
 */

function migrationWith(status: object) {
  const parsed = parseSecretMigration({
    ...aMigration('m'),
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1 },
    status: structuredClone(status),
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

async function open(status: object, reports: MemoryReports) {
  const parts = { logger: new RecordedLog(), clock: new ManualClock(), rules: [] };
  const { signal } = new AbortController();
  return MigrationJournal.open({
    migration: migrationWith(status),
    reports,
    acknowledgesLoss: false,
    signal,
    ...parts,
  });
}

const SINCE = '2026-01-01T00:00:00Z';

describe('a document with more keys than a report takes', () => {
  const keys = Array.from({ length: 9_000 }, (_, index) => `key-${String(index).padStart(8, '0')}`);
  const large = { name: 'large', keys, state: 'Verified', destination: { path: 'ns/large' } } as const;

  async function stored() {
    const reports = new MemoryReports();
    const journal = await open({}, reports);
    await journal.record(large);
    for (let index = 0; index < 300; index += 1)
      await journal.record({ name: `doc-${index}`, keys: ['k'], state: 'Verified' });
    await journal.storeReports();
    return { reports, status: journal.table() };
  }

  it('is read back whole, and writes nothing again', async () => {
    const { reports, status } = await stored();
    const homes = [...reports.objects.values()].filter(({ report }) =>
      report.rows.some(({ name }) => name === 'large'),
    );
    expect(homes.length).toBeGreaterThan(1);
    const writes = reports.writes.length;
    const next = await open(status, reports);
    expect(next.prior.get('large')?.keys).toEqual(keys);
    await next.record(large);
    await next.storeReports();
    expect(reports.writes).toHaveLength(writes);
    expect(next.counts().total).toBe(keys.length + 300);
  });

  it('changes in each of its reports, and loses no key', async () => {
    const { reports, status } = await stored();
    const next = await open(status, reports);
    await next.record({ ...large, state: 'Removed' });
    await next.storeReports();
    const rows = reports.rows().filter(({ name }) => name === 'large');
    expect(rows.flatMap((row) => row.keys)).toEqual(keys);
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['Removed']));
    expect(rows.every((row) => row.keys.length <= MAX_ROW_KEYS)).toBe(true);
  });
});

describe('a document that a run was killed with, while it went to another report', () => {
  /** With a message beyond one byte, because the rows stay as they are. */
  const row = (name: string, keys: readonly string[]): StatusRow => ({
    name,
    keys: [...keys],
    ...(name === 'a' ? { message: 'é€🔑' } : {}),
    state: 'Verified',
    lastTransitionTime: SINCE,
  });

  async function twice() {
    const reports = new MemoryReports();
    await reports.create(reportOf(migrationWith({}), 0, [row('a', ['k']), row('b', ['k'])]));
    await reports.create(reportOf(migrationWith({}), 1, [row('a', ['k', 'l']), row('c', ['k'])]));
    const status = { reports: { count: 2, rows: 4, labelSelector: '' } };
    return { reports, status };
  }

  it('is one document with all its keys, and stays in both reports until it is recorded', async () => {
    const { reports, status } = await twice();
    const journal = await open(status, reports);
    expect(journal.prior.get('a')?.keys).toEqual(['k', 'l']);
    expect(journal.counts().total).toBe(4);
    const writes = reports.writes.length;
    await journal.storeReports();
    expect(reports.writes).toHaveLength(writes);
    // Another document of the first report changes: what is said of this one there is written back as it was.
    await journal.record({ name: 'b', keys: ['k'], state: 'Removed' });
    await journal.storeReports();
    expect(reports.objects.get('m-0')?.report.rows[0]).toEqual(row('a', ['k']));
  });

  it('has one row again once it is recorded', async () => {
    const { reports, status } = await twice();
    const journal = await open(status, reports);
    await journal.record({ name: 'a', keys: ['k', 'l'], state: 'Verified', message: 'é€🔑' });
    await journal.storeReports();
    expect(reports.rows().filter(({ name }) => name === 'a')).toEqual([row('a', ['k', 'l'])]);
    expect((await open({ reports: journal.table().reports }, reports)).loss).toBeUndefined();
  });
});
