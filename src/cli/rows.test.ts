import { describe, expect, it } from 'vitest';
import { resourceOf } from '#src/app/clients.ts';
import type { Kind } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { OperatorError } from '#src/errors.ts';
import { MigrationJournal } from '#src/journal/journal.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { aParsedMigration, aStoredRow } from '#test/support/migration-rows.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { readTable } from './rows.ts';

const { signal } = new AbortController();
const DOCUMENTS = 1200;

/** A cluster whose API server has these reports, and counts how many are read at once. */
function clusterWith(reports: MemoryReports) {
  const reading = { now: 0, most: 0 };
  const client = new ScriptedKubeClient(async ({ path }) => {
    reading.now += 1;
    reading.most = Math.max(reading.most, reading.now);
    const found = await reports.get({ name: path.split('/').at(-1) ?? '' });
    reading.now -= 1;
    if (found === undefined) throw new OperatorError('NOT_FOUND', { op: 'kube.get', status: 404 });
    return found;
  });
  return { reading, objects: (kind: Kind) => new ObjectClient(client, resourceOf(kind)) };
}

/** A finished run with more rows than a status holds, and the migration as its status is after it. */
async function aLargeMigration() {
  const reports = new MemoryReports();
  const parts = { reports, logger: new RecordedLog(), clock: new ManualClock(), signal, rules: [] };
  const journal = await MigrationJournal.open({
    migration: aParsedMigration(),
    acknowledgesLoss: false,
    ...parts,
  });
  for (let index = 0; index < DOCUMENTS; index += 1)
    await journal.record({ name: `doc-${String(index).padStart(4, '0')}`, keys: ['k'], state: 'Verified' });
  await journal.storeReports();
  const status: object = JSON.parse(JSON.stringify(journal.table()));
  return { reports, migration: aParsedMigration({ status }) };
}

async function readOf(migration: SecretMigration, reports: MemoryReports) {
  return readTable(clusterWith(reports), migration, signal);
}

describe('the table of a migration', () => {
  it('is that of its status while it is small, without another request', async () => {
    const reports = new MemoryReports();
    const keys = [aStoredRow('db', ['user', 'password']), aStoredRow('api', [])];
    const table = await readOf(aParsedMigration({ status: { keys } }), reports);
    expect(table.isComplete).toBe(true);
    expect(table.rows.map(({ name, key }) => `${name}/${key}`)).toEqual(['api/', 'db/password', 'db/user']);
    expect(reports.reads).toEqual([]);
  });

  it('is complete and empty before the first run', async () => {
    expect(await readOf(aParsedMigration(), new MemoryReports())).toEqual({
      rows: [],
      stored: [],
      isComplete: true,
    });
  });

  it('is that of all reports of a large migration', async () => {
    const { migration, reports } = await aLargeMigration();
    const table = await readOf(migration, reports);
    expect(table.isComplete).toBe(true);
    expect(new Set(table.rows.map(({ name }) => name)).size).toBe(DOCUMENTS);
    expect(table.rows).toHaveLength(DOCUMENTS);
  });

  it('has reports that a run wrote after the status', async () => {
    const { migration, reports } = await aLargeMigration();
    const { reports: counted } = migration.status;
    if (counted === undefined) throw new Error('it is large');
    const older = { ...migration, status: { ...migration.status, reports: { ...counted, count: 1 } } };
    expect((await readOf(older, reports)).rows).toHaveLength(DOCUMENTS);
  });

  it('is read with few requests at once', async () => {
    const { migration, reports } = await aLargeMigration();
    const cluster = clusterWith(reports);
    await readTable(cluster, migration, signal);
    expect(cluster.reading.most).toBeGreaterThan(1);
    expect(cluster.reading.most).toBeLessThanOrEqual(8);
  });

  it('has no rows of a report that the migration does not control', async () => {
    const { migration, reports } = await aLargeMigration();
    const [name = ''] = reports.objects.keys();
    const stolen = reports.objects.get(name)!;
    const owners = stolen.metadata.ownerReferences.map((owner) =>
      Object.assign(structuredClone(owner), { uid: 'another' }),
    );
    const planted = stolen.report.rows.map((row) => ({ ...row, name: 'planted' }));
    reports.objects.set(name, {
      ...stolen,
      metadata: { ...stolen.metadata, ownerReferences: owners },
      report: { ...stolen.report, rows: planted },
    });
    const table = await readOf(migration, reports);
    expect(table.rows.map((row) => row.name)).not.toContain('planted');
    expect(table.isComplete).toBe(false);
    expect(table.missing).toContain(name);
  });

  it('says that a report is gone, and shows the others', async () => {
    const { migration, reports } = await aLargeMigration();
    const name = [...reports.objects.keys()].at(-1) ?? '';
    reports.objects.delete(name);
    const table = await readOf(migration, reports);
    expect(table.isComplete).toBe(false);
    expect(table.missing).toBe(
      `The report ${name} is missing or was changed by another writer, so its rows are not shown.`,
    );
    expect(table.rows.length).toBeGreaterThan(0);
  });

  it('says that a run has not stored all rows yet', async () => {
    const { migration, reports } = await aLargeMigration();
    const summary = { ...migration.status.summary!, total: 2000 };
    const running = { ...migration, status: { ...migration.status, summary } };
    const table = await readOf(running, reports);
    expect(table.missing).toBe(
      'The rows of 1200 of 2000 keys are stored. The run stores the remaining rows as it proceeds.',
    );
  });
});
