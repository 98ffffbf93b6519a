import { describe, expect, it } from 'vitest';
import {
  MAX_INLINE_BYTES,
  MAX_INLINE_ROWS,
  parseSecretMigration,
  type SecretMigration,
} from '#src/api/v1alpha1/secret-migration.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { OperatorError } from '#src/errors.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { MigrationJournal } from './journal.ts';
import type { ReportStore } from './reports.ts';

const { signal } = new AbortController();

function migrationWith(status: object = {}): SecretMigration {
  const parsed = parseSecretMigration({
    ...aMigration('m'),
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1 },
    status,
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

async function open(reports: ReportStore, migration = migrationWith()): Promise<MigrationJournal> {
  const parts = { logger: new RecordedLog(), clock: new ManualClock(), signal };
  return MigrationJournal.open({ migration, reports, rules: [], acknowledgesLoss: false, ...parts });
}

function nameOf(index: number): string {
  return `doc-${String(index).padStart(4, '0')}`;
}

function anOutcome(index: number, rest: Partial<Outcome> = {}): Outcome {
  return { name: nameOf(index), keys: ['k'], state: 'Verified', ...rest };
}

async function recordMany(journal: MigrationJournal, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await journal.record(anOutcome(index));
}

/** A table in reports: two shards. */
async function inReports(): Promise<MemoryReports> {
  const reports = new MemoryReports();
  const journal = await open(reports);
  await recordMany(journal, 600);
  await journal.storeReports();
  return reports;
}

describe('a table that fits the status', () => {
  it('is inline and writes no report', async () => {
    const reports = new MemoryReports();
    const journal = await open(reports);
    await recordMany(journal, 100);
    await journal.storeReports();
    expect(reports.writes).toEqual([]);
    expect(journal.table().keys).toHaveLength(100);
    expect(journal.table().reports).toBeUndefined();
  });

  it('moves to reports with the first row that no longer fits, before a status omits its rows', async () => {
    const reports = new MemoryReports();
    const before = await open(reports);
    await recordMany(before, MAX_INLINE_ROWS);
    const journal = await open(reports, migrationWith({ keys: before.table().keys }));
    await journal.record(anOutcome(MAX_INLINE_ROWS));
    expect(reports.rows()).toHaveLength(MAX_INLINE_ROWS + 1);
    expect(journal.table()).toMatchObject({ keysTruncated: true, reports: { count: 1 } });
    expect(journal.table().keys).toBeUndefined();
  });

  it('that cannot move prevents the caller from writing such a status', async () => {
    const reports = new MemoryReports();
    const before = await open(reports);
    await recordMany(before, MAX_INLINE_ROWS);
    const journal = await open(reports, migrationWith({ keys: before.table().keys }));
    reports.failure = new OperatorError('AUTH_DENIED', { op: 'test' });
    await expect(journal.record(anOutcome(MAX_INLINE_ROWS))).rejects.toMatchObject({ code: 'AUTH_DENIED' });
  });
});

it('shows a next round what this one recorded and forgot, as it does a next run', async () => {
  const reports = new MemoryReports();
  const journal = await open(reports);
  await recordMany(journal, 3);
  expect(journal.prior.size).toBe(0);
  journal.goOn();
  const before = journal.prior;
  journal.forget(nameOf(0));
  await journal.record(anOutcome(1, { state: 'Conflict', keys: ['k', 'l'] }));
  journal.goOn();
  const next = await open(reports, migrationWith(journal.table()));
  expect([...journal.prior]).toEqual([...next.prior]);
  expect(journal.prior).toBe(before);
});

describe('a table of long rows', () => {
  it('is inline while its JSON is short enough, messages included', async () => {
    const journal = await open(new MemoryReports());
    for (let index = 0; index < 245; index += 1) {
      await journal.record(anOutcome(index, { state: 'Failed', message: 'm'.repeat(256) }));
      const { keys } = journal.table();
      if (keys === undefined) break;
      expect(Buffer.byteLength(JSON.stringify(keys))).toBeLessThan(MAX_INLINE_BYTES);
    }
    await journal.storeReports();
    expect(journal.table().keysTruncated).toBe(true);
    expect(journal.counts().total).toBeLessThan(245);
  });
});

describe('a table in reports', () => {
  it('is read back in full by the next run', async () => {
    const reports = await inReports();
    const journal = await open(reports);
    expect(journal.prior.size).toBe(600);
    expect(journal.counts()).toMatchObject({ total: 600, verified: 600 });
  });

  it('stays in reports when it becomes small again', async () => {
    const reports = await inReports();
    const journal = await open(reports);
    await journal.record(anOutcome(0));
    journal.dropUnvisited();
    await journal.storeReports();
    expect(reports.rows().map(({ name }) => name)).toEqual([nameOf(0)]);
    expect(journal.table()).toMatchObject({ documents: 1, keysTruncated: true });
  });

  it('writes only shards that differ', async () => {
    const reports = await inReports();
    reports.writes.length = 0;
    const journal = await open(reports);
    for (let index = 0; index < 600; index += 1)
      await journal.record(anOutcome(index, index === 550 ? { state: 'Removed' } : {}));
    await journal.storeReports();
    await journal.storeReports();
    expect(reports.writes).toEqual(['replace m-1']);
  });

  it('writes nothing for a row that changes back', async () => {
    const reports = await inReports();
    reports.writes.length = 0;
    const journal = await open(reports);
    await journal.record(anOutcome(7, { state: 'Pending' }));
    await journal.record(anOutcome(7));
    await journal.storeReports();
    expect(reports.writes).toEqual([]);
  });

  it('shows exceptions in the status, at most 100', async () => {
    const reports = await inReports();
    const journal = await open(reports);
    for (let index = 0; index < 150; index += 1) await journal.record(anOutcome(index, { state: 'Failed' }));
    expect(journal.table().exceptions).toHaveLength(100);
    expect(journal.table()).toMatchObject({ progress: '450/600' });
  });
});

describe('writing reports', () => {
  it('creates each report once, however many callers write concurrently', async () => {
    const reports = new MemoryReports();
    const release = Promise.withResolvers<void>();
    reports.gate = release.promise;
    const journal = await open(reports);
    await recordMany(journal, 1100); // Full shards are already being written.
    const stored = Promise.all([journal.storeReports(), journal.storeReports()]);
    release.resolve();
    await stored;
    const created = reports.writes.filter((write) => write.startsWith('create'));
    expect(created.length).toBeGreaterThan(2);
    expect(new Set(created).size).toBe(created.length);
    expect(journal.table().reports?.count).toBe(created.length);
    expect(reports.rows()).toHaveLength(1100);
  });

  it('writes a shard again if it changed during a write', async () => {
    const reports = new MemoryReports();
    const journal = await open(reports);
    await recordMany(journal, 300);
    const release = Promise.withResolvers<void>();
    reports.gate = release.promise;
    const stored = journal.storeReports();
    while (reports.writes.length === 0) await Promise.resolve();
    await journal.record(anOutcome(7, { state: 'Removed' }));
    release.resolve();
    await stored;
    await journal.storeReports();
    expect(reports.rows().find(({ name }) => name === nameOf(7))?.state).toBe('Removed');
  });

  it('does not delay a document, and throws a failure when everything must be durable', async () => {
    const reports = new MemoryReports();
    reports.failure = new OperatorError('AUTH_DENIED', { op: 'test' });
    const journal = await open(reports);
    await recordMany(journal, 600);
    await expect(journal.storeReports()).rejects.toMatchObject({ code: 'AUTH_DENIED' });
    reports.failure = undefined;
    await journal.storeReports();
    expect(reports.rows()).toHaveLength(600);
  });

  it('is a conflict when another writer was faster', async () => {
    const reports = new MemoryReports();
    const [mine, theirs] = [await open(reports), await open(reports)];
    await recordMany(theirs, 300);
    await theirs.storeReports();
    await recordMany(mine, 300);
    await expect(mine.storeReports()).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
  });
});
