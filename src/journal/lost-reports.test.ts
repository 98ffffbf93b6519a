import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_INLINE_ROWS, parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { State } from '#src/core/outcome.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { MigrationJournal } from './journal.ts';
import { MAX_UNCOUNTED } from './reports.ts';

const { signal } = new AbortController();

interface Opening {
  readonly spec?: object;
  readonly status?: object;
  readonly acknowledgesLoss?: boolean;
  readonly name?: string;
}

async function open(reports: MemoryReports, { name = 'm', spec = {}, status = {}, ...more }: Opening = {}) {
  const migration = aMigration(name, spec);
  const parsed = parseSecretMigration({
    ...migration,
    metadata: { name, namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1 },
    status: JSON.parse(JSON.stringify(status)),
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  const log = new RecordedLog();
  const parts = { reports, logger: log, clock: new ManualClock(), signal, rules: [] };
  const journal = await MigrationJournal.open({
    migration: parsed.value,
    acknowledgesLoss: false,
    ...more,
    ...parts,
  });
  return { journal, log };
}

async function record(journal: MigrationJournal, from: number, to: number, state: State = 'Verified') {
  for (let index = from; index < to; index += 1)
    await journal.record({ name: `doc-${String(index).padStart(4, '0')}`, keys: ['k'], state });
}

const DELETE = { spec: { sourcePolicy: 'Delete' } };

/** 1,200 rows of removed sources in at least three reports, and the status that counts them. */
async function aFinishedRun(opening: Opening = DELETE, state: State = 'Removed') {
  const reports = new MemoryReports();
  const { journal } = await open(reports, opening);
  await record(journal, 0, 1_200, state);
  await journal.storeReports();
  const table = journal.table();
  return { reports, table, names: [...reports.objects.keys()] };
}

/** A run that still finds the documents that the table has; returns the status after it. */
async function aRunAgain(reports: MemoryReports, opening: Opening) {
  const { journal, log } = await open(reports, opening);
  const prior = [...journal.prior.values()];
  await journal.storeReports();
  for (const outcome of prior) await journal.record(outcome);
  journal.dropUnvisited();
  await journal.storeReports();
  return { journal, log, table: journal.table() };
}

function change(reports: MemoryReports, name: string, report: object, metadata: object = {}): void {
  const object = reports.objects.get(name);
  if (object === undefined) throw new Error(`there is no report ${name}`);
  reports.objects.set(name, {
    ...object,
    metadata: { ...object.metadata, ...metadata },
    report: { ...object.report, ...report },
  });
}

function damage(reports: MemoryReports, name: string, fate: string | undefined): void {
  const { rows = [], summary } = reports.objects.get(name)?.report ?? {};
  if (fate === 'deleted') reports.objects.delete(name);
  if (fate === 'truncated') change(reports, name, { rows: rows.slice(1) });
  if (fate === 'emptied') change(reports, name, { rows: [], summary: { ...summary, total: 0, removed: 0 } });
}

describe('a report that was deleted', () => {
  it('is a loss that stays until the user acknowledges it, also in the next process', async () => {
    const { reports, table } = await aFinishedRun();
    const lost = reports.objects.get('m-1')?.report.rows.length ?? 0;
    reports.objects.delete('m-1');
    const loss = { reports: 1, rows: lost, unrecoverable: true };

    const first = await aRunAgain(reports, { ...DELETE, status: table });
    expect(first.journal.loss).toEqual(loss);
    expect(first.table).toMatchObject({
      documents: 1_200 - lost,
      reports: { rows: 1_200 - lost, lost: loss },
    });
    expect(reports.objects.has('m-1')).toBe(true);
    const writes = reports.writes.length;
    const second = await aRunAgain(reports, { ...DELETE, status: first.table });
    expect(second.table).toEqual(first.table);
    expect(reports.writes).toHaveLength(writes);

    const third = await aRunAgain(reports, { ...DELETE, status: second.table, acknowledgesLoss: true });
    expect(third.journal.loss).toBeUndefined();
    expect(third.table.reports?.lost).toBeUndefined();
  });

  it('is a loss when all of them were', async () => {
    const { reports, table, names } = await aFinishedRun();
    reports.objects.clear();
    const { journal, table: after } = await aRunAgain(reports, { ...DELETE, status: table });
    expect(journal.loss).toEqual({ reports: names.length, rows: 1_200, unrecoverable: true });
    expect(after).toMatchObject({ documents: 0, keysTruncated: true, reports: { count: names.length } });
  });

  it('is made good by a complete run if no source can have been removed', async () => {
    const { reports, table } = await aFinishedRun({}, 'Verified');
    reports.objects.delete('m-0');
    const { journal } = await open(reports, { status: table });
    await journal.storeReports();
    expect(journal.loss).toMatchObject({ reports: 1, unrecoverable: false });
    expect(journal.table().reports?.lost).toBeDefined();
    await record(journal, 0, 1_200);
    journal.dropUnvisited();
    await journal.storeReports();
    expect(journal.loss).toBeUndefined();
    expect(reports.rows()).toHaveLength(1_200);
    expect((await open(reports, { status: journal.table() })).journal.loss).toBeUndefined();
  });

  it('is noticed in any combination, and only then', async () => {
    const { reports, table, names } = await aFinishedRun();
    const what = fc.constantFrom('whole', 'deleted', 'truncated', 'emptied');
    const fates = fc.array(what, { minLength: names.length, maxLength: names.length });
    const check = async (fate: readonly string[]): Promise<void> => {
      const now = new MemoryReports();
      for (const [index, [name, object]] of [...reports.objects].entries()) {
        now.objects.set(name, object);
        damage(now, name, fate[index]);
      }
      const { journal } = await open(now, { ...DELETE, status: table });
      expect(journal.loss !== undefined).toBe(fate.some((each) => each !== 'whole'));
      expect(journal.loss?.rows ?? 0).toBe(1_200 - journal.counts().total);
    };
    await fc.assert(fc.asyncProperty(fates, check), { numRuns: 30 });
  });
});

describe('a report that another writer made', () => {
  it('with our owner and a huge number of its shard costs nothing, and is replaced as changed', async () => {
    const { reports, table } = await aFinishedRun();
    change(reports, 'm-0', { shard: 2_147_483_647 });
    const { journal, log } = await aRunAgain(reports, { ...DELETE, status: table });
    expect(journal.loss?.reports).toBe(1);
    expect(reports.objects.get('m-0')?.report.shard).toBe(0);
    expect(log.lines.map(({ message }) => message)).toContain('report was changed by another writer');
  });

  it('under our labels is never read, however many there are', async () => {
    const { reports, table, names } = await aFinishedRun();
    const [first] = reports.objects.values();
    if (first === undefined) throw new Error('there are reports');
    for (let index = 0; index < 5_000; index += 1)
      reports.objects.set(`m-${index + 10_000}`, { ...first, report: { ...first.report, shard: index } });
    reports.reads.length = 0;
    const { journal } = await open(reports, { ...DELETE, status: table });
    expect(journal.loss).toBeUndefined();
    expect(reports.reads).toHaveLength(names.length + 1);
  });

  it('under our next names is read up to a limit', async () => {
    const { reports, table, names } = await aFinishedRun();
    const [first] = reports.objects.values();
    if (first === undefined) throw new Error('there are reports');
    for (let shard = names.length; shard < 4_000; shard += 1)
      reports.objects.set(`m-${shard}`, { ...first, report: { ...first.report, shard } });
    reports.reads.length = 0;
    await open(reports, { ...DELETE, status: table });
    expect(reports.reads).toHaveLength(names.length + MAX_UNCOUNTED);
  });

  it.each([
    ['another controller', [{ kind: 'SecretMigration', name: 'x', uid: 'other', controller: true }]],
    ['another kind of controller', [{ kind: 'Deployment', name: 'm', uid: 'u', controller: true }]],
    ['an owner that is not its controller', [{ kind: 'SecretMigration', name: 'm', uid: 'u' }]],
    ['no owner', []],
  ])('with %s is ignored, logged and never overwritten', async (_what, ownerReferences) => {
    const { reports, table } = await aFinishedRun();
    change(reports, 'm-1', {}, { ownerReferences });
    const theirs = reports.objects.get('m-1');
    const { journal, log } = await open(reports, { ...DELETE, status: table });
    expect(journal.loss).toMatchObject({ reports: 1 });
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ report: 'm-1' }) }),
    );
    await expect(journal.storeReports()).rejects.toMatchObject({ code: 'REPORT_TAKEN' });
    expect(reports.objects.get('m-1')).toBe(theirs);
  });

  it('is awaited to go if it is of a deleted migration of this name', async () => {
    const { reports } = await aFinishedRun();
    const ownerReferences = [{ kind: 'SecretMigration', name: 'm', uid: 'earlier', controller: true }];
    for (const name of reports.objects.keys()) change(reports, name, {}, { ownerReferences });
    const { journal } = await open(reports, DELETE);
    expect(journal.prior.size).toBe(0);
    await record(journal, 0, 1_200);
    await expect(journal.storeReports()).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
  });
});

describe('a run that is killed', () => {
  it('while documents leave the table has lost nothing, once the status promises fewer rows', async () => {
    const { reports, table } = await aFinishedRun();
    const { journal } = await open(reports, { ...DELETE, status: table });
    await record(journal, 0, 100, 'Removed');
    journal.dropUnvisited();
    expect(journal.promisesTooMuch).toBe(true);
    const promised = journal.table();
    expect(journal.promisesTooMuch).toBe(false);
    await journal.storeReports();
    expect((await open(reports, { ...DELETE, status: promised })).journal.loss).toBeUndefined();
  });

  it('while its rows move from the status to reports goes on with all of them', async () => {
    const reports = new MemoryReports();
    const { journal: inline } = await open(reports);
    await record(inline, 0, MAX_INLINE_ROWS);
    const status = inline.table();
    const { journal } = await open(reports, { status });
    await record(journal, MAX_INLINE_ROWS, MAX_INLINE_ROWS + 1);
    const { journal: next } = await open(reports, { status });
    expect(next.prior.size).toBe(MAX_INLINE_ROWS + 1);
    expect(next.loss).toBeUndefined();
    await next.storeReports();
    expect(reports.writes.filter((write) => write.startsWith('create'))).toHaveLength(reports.objects.size);
  });
});

it('a migration with the longest name has names and labels that the API server takes', async () => {
  const { reports, table } = await aFinishedRun({ name: `${'a'.repeat(247)}.${'b'.repeat(5)}` });
  const labels = [...reports.objects.values()].flatMap(({ metadata }) => Object.values(metadata.labels));
  for (const name of reports.objects.keys()) expect(name).toMatch(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])$/);
  for (const label of labels) expect(label).toMatch(/^[a-z0-9][-a-z0-9]{0,62}$/);
  expect(table.reports?.labelSelector.length).toBeLessThan(512);
});
