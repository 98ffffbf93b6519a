import { beforeAll, describe, expect, it } from 'vitest';
import { GROUP, KINDS, MIGRATION_LABEL, VERSION } from '#src/api/group.ts';
import { countOutcomes, type Counts } from '#src/core/outcome.ts';
import { keyRowsOf } from '#src/api/v1alpha1/key-rows.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import type { SecretMigrationReport } from '#src/api/v1alpha1/secret-migration-report.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import {
  conditionOf,
  kvMetadata,
  kvNames,
  kvPut,
  reasonOf,
  requestRun,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';

const stage = useStage();

/** So long that the rows of all documents fit neither a status nor one report. */
const KEYS = ['a', 'b', 'c', 'd', 'e'].map((key) => key.repeat(250));
const BULK = 80;
const BULK_KEYS = BULK * KEYS.length;
const BULK_PREFIX = `bulk-${'x'.repeat(90)}-`;
const CLASHING = `${BULK_PREFIX}07`;

function bulkFields(value: string): Readonly<Record<string, string>> {
  return Object.fromEntries(KEYS.map((key) => [key, `${value} of ${key}`]));
}

/** More than a status takes. */
async function plantBulk(tenant: Tenant): Promise<readonly string[]> {
  const names = Array.from({ length: BULK }, (_, index) => `${BULK_PREFIX}${String(index).padStart(2, '0')}`);
  await Promise.all(names.map(async (name) => tenant.apply(aSecret(name, bulkFields('value')))));
  return names;
}

const OURS = `/apis/${GROUP}/${VERSION}`;

async function listOf<T>(tenant: Tenant, plural: string, group = OURS): Promise<readonly T[]> {
  const path = `${group}/namespaces/${tenant.namespace}/${plural}`;
  return (await tenant.cluster.kube<{ items: readonly T[] }>('GET', path)).items;
}

interface Report extends SecretMigrationReport {
  readonly metadata: SecretMigrationReport['metadata'] & {
    readonly ownerReferences: readonly { readonly uid: string }[];
  };
}

async function reportsOf(tenant: Tenant, migration: string): Promise<readonly Report[]> {
  const selector = encodeURIComponent(`${MIGRATION_LABEL}=${migration}`);
  return await listOf(tenant, `${KINDS.SecretMigrationReport.plural}?labelSelector=${selector}`);
}

function countRows(rows: readonly StatusRow[]): Counts {
  return countOutcomes(rows);
}

/** Every path of the mount with all that the server knows of it: versions, times, custom metadata. */
async function kvContents(tenant: Tenant, folder = ''): Promise<Readonly<Record<string, unknown>>> {
  const contents: Record<string, unknown> = {};
  for (const name of await kvNames(tenant, folder)) {
    const path = folder === '' ? name : `${folder}/${name}`;
    if (name.endsWith('/')) Object.assign(contents, await kvContents(tenant, path.slice(0, -1)));
    else contents[path] = await kvMetadata(tenant, path);
  }
  return contents;
}

/** All that a write could change: objects with their resourceVersions, and what is in the KV server. */
async function world(tenant: Tenant) {
  const { SecretBackend, SecretMigration, SecretMigrationReport } = KINDS;
  return {
    secrets: await listOf(tenant, 'secrets', '/api/v1'),
    backends: await listOf(tenant, SecretBackend.plural),
    migrations: await listOf(tenant, SecretMigration.plural),
    reports: await listOf(tenant, SecretMigrationReport.plural),
    kv: await kvContents(tenant),
  };
}

interface EventObject {
  readonly reason: string;
  readonly regarding: { readonly name: string };
}

async function eventsOf(tenant: Tenant): Promise<readonly EventObject[]> {
  return await listOf(tenant, 'events', '/apis/events.k8s.io/v1');
}

/** Method and path of the writes that the operator makes while `act` runs. */
async function writesDuring(act: () => Promise<unknown>): Promise<readonly string[]> {
  const before = new Set(stage().writes());
  await act();
  return stage()
    .writes()
    .filter((request) => !before.has(request))
    .map(({ method, path }) => `${method} ${path}`);
}

/** The metrics of the objects of a tenant. */
async function seriesOf({ namespace }: Tenant): Promise<string> {
  const lines = (await stage().operator.metrics()).split('\n');
  return lines.filter((line) => line.includes(`namespace="${namespace}"`)).join('\n');
}

function statusPath(tenant: Tenant, migration: string): string {
  return `${OURS}/namespaces/${tenant.namespace}/secretmigrations/${migration}/status`;
}

/** Those of SecretBackends, ClusterSecretBackends and SecretMigrations, and the polls of mode Sync. */
const CONTROLLERS = 4;
/** Of each controller: its active workers, and the depth of its queue for both priorities. */
const GAUGES = 3;

/** Every kind of end that a migration can come to, and all that it left behind. */
const ENDS = {
  kept: 'Completed',
  removed: 'Completed',
  back: 'Completed',
  rehearsed: 'DryRunCompleted',
  clash: 'ConflictsFound',
  failed: 'PartiallyFailed',
  bulk: 'ConflictsFound',
} as const;

let tenant: Tenant;

beforeAll(async () => {
  // A garbage collector learns of new kinds only every 30 s, but a new one begins with those that there are.
  await stage().cluster.restart('controller-manager');
  tenant = await stage().tenant();
  const { namespace } = tenant;
  await tenant.apply(aSecret('kept-text', { user: 'app', password: 'hunter2' }));
  await tenant.apply(aSecret('kept-bytes', { blob: Uint8Array.of(0, 255, 128) }, { immutable: true }));
  await tenant.apply(
    aSecret('kept-typed', { username: 'u', password: 'p' }, { type: 'kubernetes.io/basic-auth' }),
  );
  await tenant.apply(aSecret('removed-a', { k: 'a' }));
  await tenant.apply(aSecret('removed-b', { k: 'b' }, { immutable: true }));
  await tenant.apply(aSecret('clash', { k: 'mine' }));
  await kvPut(tenant, `${namespace}/clash`, { k: 'theirs' });
  for (const name of ['one', 'two']) await kvPut(tenant, `archive/${name}`, { k: name });
  await plantBulk(tenant);
  await kvPut(tenant, `${namespace}/${CLASHING}`, bulkFields('theirs'));

  // One after the other: both change the Secrets that the inventory of the next ones counts.
  await tenant.apply(
    aMigration('back', {
      from: 'bao',
      to: 'kubernetes',
      select: { all: true },
      mapping: { path: 'archive/{name}' },
    }),
  );
  await tenant.untilReady('back');
  await tenant.apply(aMigration('removed', { select: { prefix: 'removed-' }, sourcePolicy: 'Delete' }));
  await tenant.untilReady('removed');

  await tenant.apply(aMigration('kept', { select: { prefix: 'kept-' } }));
  await tenant.apply(
    aMigration('rehearsed', { select: { prefix: 'kept-' }, mapping: { path: 'new/{name}' }, dryRun: true }),
  );
  await tenant.apply(aMigration('clash', { select: { names: ['clash'] } }));
  await tenant.apply(aMigration('failed', { select: { names: ['kept-text', 'missing'] } }));
  await tenant.apply(aMigration('bulk', { select: { prefix: BULK_PREFIX } }));
  for (const [name, reason] of Object.entries(ENDS)) {
    await tenant.untilReady(name, { status: reason.endsWith('Completed') ? 'True' : 'False', reason });
  }
});

describe('a run that is asked for when all is done', () => {
  it.each(Object.keys(ENDS))('of %s writes nothing anywhere but the echo of the request', async (name) => {
    const before = await world(tenant);
    const { status: statusBefore } = await tenant.migration(name);
    const written = await writesDuring(async () => requestRun(tenant, name));
    const { status } = await tenant.migration(name);
    const after = await world(tenant);

    expect(written).toEqual([`PATCH ${statusPath(tenant, name)}`]);
    expect(status.lastHandledReconcileAt).not.toBe(statusBefore.lastHandledReconcileAt);
    expect({ ...status, lastHandledReconcileAt: undefined }).toEqual({
      ...statusBefore,
      lastHandledReconcileAt: undefined,
    });
    expect({ ...after, migrations: [] }).toEqual({ ...before, migrations: [] });
  });
});

describe('an operator that starts when all is done', () => {
  /** Every object was read by the operator since `mark`, and it has nothing more to do. */
  async function hasLookedAtAll(mark: number): Promise<boolean> {
    const read = new Set(
      stage()
        .api.requests.slice(mark)
        .filter(({ method }) => method === 'GET')
        .map(({ path }) => path),
    );
    const objects = `${OURS}/namespaces/${tenant.namespace}`;
    const wanted = [
      ...Object.keys(ENDS).map((name) => `${objects}/secretmigrations/${name}`),
      ...['kubernetes', 'bao'].map((name) => `${objects}/secretbackends/${name}`),
    ];
    if (!wanted.every((path) => read.has(path))) return false;
    const gauges = (await stage().operator.metrics())
      .split('\n')
      .filter((line) => /^(controller_runtime_active_workers|workqueue_depth)\{/.test(line));
    return gauges.length === GAUGES * CONTROLLERS && gauges.every((line) => line.endsWith(' 0'));
  }

  it('looks at everything and writes nothing: no value, no status, no report, no event', async () => {
    const before = await world(tenant);
    const eventsBefore = await eventually('the events of all verdicts are there', async () => {
      const events = await eventsOf(tenant);
      const said = new Set(events.map(({ reason, regarding }) => `${regarding.name} ${reason}`));
      return Object.entries(ENDS).every(([name, reason]) => said.has(`${name} ${reason}`)) && events;
    });
    const mark = stage().api.requests.length;
    const written = await writesDuring(async () => {
      await stage().restartOperator();
      await eventually('it has looked at every object', () => hasLookedAtAll(mark));
    });
    expect(written).toEqual([]);
    expect(await world(tenant)).toEqual(before);
    const series = await seriesOf(tenant);
    for (const [name, reason] of Object.entries(ENDS)) {
      const status = reason.endsWith('Completed') ? 'True' : 'False';
      const ready = `name="${name}",type="Ready",status="${status}"} 1`;
      expect(series).toContain(`secretmigration_condition{namespace="${tenant.namespace}",${ready}`);
    }
    expect(series).toContain(`namespace="${tenant.namespace}",name="bao",type="Ready",status="True"} 1`);

    await stage().restartOperator(); // Events are written behind the work; a stop flushes them.
    expect(await eventsOf(tenant)).toEqual(eventsBefore);
  });
});

describe('a migration of more keys than a status takes', () => {
  describeWriting();
  describeDeleting();
  describeLosing();
});

function describeWriting(): void {
  it('has every row in reports of its own, counts that add up, and in its status what is not fine', async () => {
    const { status, metadata } = await tenant.migration('bulk');
    const reports = await reportsOf(tenant, 'bulk');

    expect(status.keys).toBeUndefined();
    expect(status.keysTruncated).toBe(true);
    expect(status.summary).toMatchObject({
      total: BULK_KEYS,
      verified: BULK_KEYS - KEYS.length,
      conflict: KEYS.length,
    });
    expect(status).toMatchObject({ documents: BULK, progress: `${BULK_KEYS - KEYS.length}/${BULK_KEYS}` });
    const exceptions = status.exceptions?.map(({ name, keys, state }) => ({ name, keys, state }));
    expect(exceptions).toEqual([{ name: CLASHING, keys: KEYS, state: 'Conflict' }]);

    expect(reports.length).toBeGreaterThan(1);
    expect(status.reports?.count).toBe(reports.length);
    const rows = await tenant.rows('bulk');
    const stored = reports.flatMap(({ report }) => report.rows);
    expect(rows).toEqual(keyRowsOf(stored));
    expect(new Set(rows.map(({ name, key }) => `${name}/${key}`)).size).toBe(BULK_KEYS);
    expect(countRows(stored)).toEqual(status.summary);
    for (const { metadata: own, report } of reports) {
      expect(report.summary).toEqual(countRows(report.rows));
      expect(own).toMatchObject({
        ownerReferences: [{ kind: 'SecretMigration', name: 'bulk', uid: metadata.uid, controller: true }],
      });
    }
  });

  it('rewrites one report and its status when one document has changed, and nothing else', async () => {
    const own = await stage().tenant();
    await plantBulk(own);
    await kvPut(own, `${own.namespace}/${CLASHING}`, bulkFields('theirs'));
    await own.apply(aMigration('bulk', { select: { prefix: BULK_PREFIX } }));
    await own.untilReady('bulk', { status: 'False', reason: 'ConflictsFound' });
    const home = (await reportsOf(own, 'bulk')).find(({ report }) =>
      report.rows.some(({ name }) => name === CLASHING),
    );

    await kvPut(own, `${own.namespace}/${CLASHING}`, bulkFields('value'));
    const written = await writesDuring(async () => {
      expect(reasonOf(await requestRun(own, 'bulk'))).toBe('Completed');
    });
    // Status twice when progress was shown before the verdict.
    expect([...new Set(written)].toSorted()).toEqual([
      `PATCH ${statusPath(own, 'bulk')}`,
      `PUT ${OURS}/namespaces/${own.namespace}/secretmigrationreports/${home?.metadata.name}`,
    ]);
    const { status } = await own.migration('bulk');
    expect(status).toMatchObject({
      progress: `${BULK_KEYS}/${BULK_KEYS}`,
      exceptions: [],
      keysTruncated: true,
    });
  });

  it('says so when a report cannot be written, and removes no source for which there is no record', async () => {
    const own = await stage().tenant();
    const names = await plantBulk(own);
    const path = new RegExp(`/${own.namespace}/secretmigrationreports$`);
    const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403 };
    const refusal = stage().api.onRequest(
      { method: 'POST', path },
      { kind: 'status', code: 403, body: status },
    );
    await own.apply(aMigration('bulk', { select: { prefix: BULK_PREFIX }, sourcePolicy: 'Delete' }));
    const refused = await own.untilReady('bulk', { status: 'False', reason: 'PermissionDenied' });
    expect(conditionOf(refused, 'Ready')?.message).toContain(`SecretMigrationReport ${own.namespace}/bulk-0`);
    const sources = (await own.secrets()).map(({ metadata }) => metadata.name);
    expect(sources).toEqual(expect.arrayContaining([...names]));

    refusal.remove();
    const done = await requestRun(own, 'bulk');
    expect(done.status.summary).toMatchObject({ total: BULK_KEYS, removed: BULK_KEYS });
    expect(Object.values(await statesOf(own, 'bulk'))).toEqual(names.map(() => 'Removed'));
  });
}

function describeDeleting(): void {
  it('takes its reports with it when it is deleted; values stay where they are, on both sides', async () => {
    const own = await stage().tenant();
    const names = await plantBulk(own);
    await own.apply(aMigration('bulk', { select: { prefix: BULK_PREFIX } }));
    await own.untilReady('bulk');
    expect(await reportsOf(own, 'bulk')).not.toEqual([]);
    const before = await world(own);

    const written = await writesDuring(async () => {
      await own.delete('SecretMigration', 'bulk');
      await eventually('its reports are gone', async () => (await reportsOf(own, 'bulk')).length === 0);
    });
    expect(written).toEqual([]);
    expect(await seriesOf(own)).not.toContain('secretmigration_keys');
    expect(await world(own)).toEqual({ ...before, migrations: [], reports: [] });
    expect(await kvNames(own, own.namespace)).toEqual(names);
  });

  it('can be deleted and made again under its name: new reports, the same values', async () => {
    const own = await stage().tenant();
    const names = await plantBulk(own);
    await own.apply(aMigration('bulk', { select: { prefix: BULK_PREFIX } }));
    await own.untilReady('bulk');
    const stored = await kvContents(own);
    expect(Object.keys(stored)).toHaveLength(names.length);

    await own.delete('SecretMigration', 'bulk'); // Its reports still wait for the garbage collector.
    await own.apply(aMigration('bulk', { select: { prefix: BULK_PREFIX } }));
    const { metadata } = await own.untilReady('bulk');
    const owners = (await reportsOf(own, 'bulk')).map((report) => report.metadata.ownerReferences[0]?.uid);
    expect(new Set(owners)).toEqual(new Set([metadata.uid]));
    expect(Object.values(await statesOf(own, 'bulk'))).toEqual(names.map(() => 'Verified'));
    expect(await kvContents(own)).toEqual(stored);
  });
}

function describeLosing(): void {
  it('is never Completed after a report was deleted by hand, until the user has seen it', async () => {
    const own = await stage().tenant();
    await plantBulk(own);
    await own.apply(aMigration('bulk', { select: { prefix: BULK_PREFIX }, sourcePolicy: 'Delete' }));
    await own.untilReady('bulk');
    const [first] = await reportsOf(own, 'bulk');
    const rows = countRows(first?.report.rows ?? []).total;
    const left = BULK_KEYS - rows;
    await own.delete('SecretMigrationReport', first?.metadata.name ?? '');

    const lost = { reports: 1, rows, unrecoverable: true };
    const noticed = await requestRun(own, 'bulk');
    expect(reasonOf(noticed)).toBe('ReportsIncomplete');
    expect(noticed.status).toMatchObject({ progress: `${left}/${left}`, reports: { lost } });
    const acknowledged = await requestRun(own, 'bulk');
    expect(reasonOf(acknowledged)).toBe('Completed');
    expect(acknowledged.status.reports?.lost).toBeUndefined();
  });
}
