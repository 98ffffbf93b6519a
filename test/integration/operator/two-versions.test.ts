import { beforeAll, describe, expect, it } from 'vitest';
import { GROUP, VERSION } from '#src/api/group.ts';
import { crdSetChanges } from '#src/release/crd-changes.ts';
import { releaseFilesIn } from '#src/release/check.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { holdRemovals, holdWrites } from '#test/support/gate.ts';
import { nextCrds } from '#test/support/next-crds.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { kvNames, requestRun, rowsByName, statesOf, versionOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { fieldsOf, MANY, plantMany, sourceNames, wholeNames } from './documents.ts';

/*
 * The CRDs are those of a later release during an upgrade, and after the operator alone was rolled back. What the later
 * operator does is done here by hand.
 */

const stage = useStage();

beforeAll(async () => {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: nextCrds() });
  const { code, stderr } = await stage().cluster.kubectl(['apply', '-f', '-'], { input });
  if (code !== 0) throw new Error(stderr);
  const probe = await stage().tenant();
  await probe.apply(aMigration('probe', { suspend: true }));
  await eventually('the API server has the new fields', async () => {
    await patchStatus(probe, 'probe', { rollout: 'x' });
    return (await statusOf(probe, 'probe'))['rollout'] === 'x';
  });
});

type Status = Readonly<Record<string, unknown>>;

function pathOf(tenant: Tenant, name: string, plural = 'secretmigrations'): string {
  return `/apis/${GROUP}/${VERSION}/namespaces/${tenant.namespace}/${plural}/${name}`;
}

/** As the API server has it, with all fields. */
async function statusOf(tenant: Tenant, name: string, plural?: string): Promise<Status> {
  return (await tenant.cluster.kube<{ status: Status }>('GET', pathOf(tenant, name, plural))).status;
}

async function patchStatus(tenant: Tenant, name: string, status: object, plural?: string): Promise<void> {
  const type = { 'content-type': 'application/merge-patch+json' };
  await tenant.cluster.kube('PATCH', `${pathOf(tenant, name, plural)}/status`, { status }, type);
}

/** Changes the stored rows of a migration, as the later operator. */
async function rewriteRows(
  tenant: Tenant,
  name: string,
  change: (row: Status & { readonly name?: unknown }) => object,
): Promise<void> {
  const { keys } = await statusOf(tenant, name);
  if (!Array.isArray(keys)) throw new Error('no rows');
  await patchStatus(tenant, name, { keys: keys.flatMap(change) });
}

/** As a release wrote rows that had one for each key. */
function oneForEachKey({ keys, ...row }: Status): object[] {
  if (!Array.isArray(keys)) throw new Error('a row has keys');
  return keys.map((key: unknown) => ({ ...row, key }));
}

async function migrated(...names: string[]): Promise<Tenant> {
  const tenant = await stage().tenant();
  for (const name of names) await tenant.apply(aSecret(name, fieldsOf(name)));
  await tenant.apply(aMigration('moved'));
  await tenant.untilReady('moved');
  return tenant;
}

const audited = {
  type: 'Audited',
  status: 'True',
  reason: 'ByNewer',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
};

describe('the present operator with the CRDs of a later release', () => {
  it('which are additive', () => {
    const { crds } = releaseFilesIn(`${import.meta.dirname}/../../..`);
    expect(crdSetChanges(crds, nextCrds())).toEqual([]);
    expect(JSON.stringify(nextCrds())).not.toBe(JSON.stringify(crds));
  });

  it('keeps fields, conditions and rows that it does not know, and looks itself at a state that it does not know', async () => {
    const tenant = await migrated('db', 'web');
    const { conditions } = await statusOf(tenant, 'moved');
    if (!Array.isArray(conditions)) throw new Error('no conditions');
    await patchStatus(tenant, 'moved', { rollout: 'canary', conditions: [...conditions, audited] });
    await rewriteRows(tenant, 'moved', (row) => ({
      ...row,
      attempts: 3,
      destination: { ...Object(row['destination']), algorithm: 'new' },
      ...(row.name === 'web' ? { state: 'Sealed', reason: 'ByKey' } : {}),
    }));
    const done = await requestRun(tenant, 'moved');

    expect(done.status.summary).toMatchObject({ total: 4, verified: 4 });
    expect(await statesOf(tenant, 'moved')).toEqual({ db: 'Verified', web: 'Verified' });
    const status = await statusOf(tenant, 'moved');
    expect(status).toMatchObject({
      rollout: 'canary',
      keys: Array.from({ length: 2 }, () => ({ attempts: 3, destination: { algorithm: 'new' } })),
    });
    expect(status['conditions']).toContainEqual(audited);
    for (const name of ['db', 'web']) expect(await versionOf(tenant, name)).toBe(1);
  });

  it('never takes a state that it does not know for a proof: a document whose source is gone stays Failed', async () => {
    const tenant = await migrated('db', 'web');
    await rewriteRows(tenant, 'moved', (row) => (row.name === 'web' ? { ...row, state: 'Sealed' } : row));
    await tenant.delete('Secret', 'web');
    for (let run = 0; run < 2; run += 1) await requestRun(tenant, 'moved');

    const ready = await tenant.untilReady('moved', { status: 'False', reason: 'PartiallyFailed' });
    expect(ready.status.summary).toMatchObject({ total: 4, verified: 2, failed: 2, removed: 0, skipped: 0 });
    expect((await rowsByName(tenant, 'moved'))['web']).toMatchObject({
      state: 'Failed',
      reason: 'UnknownState',
      message: expect.stringContaining(
        'the state Sealed, which this version does not know. The source is gone.',
      ),
      destination: { version: '1' },
    });
    expect(await versionOf(tenant, 'web')).toBe(1);
  });
});

describe('the spec of a later release', () => {
  it('with a field that is not known is not carried out, and the field is named', async () => {
    stage().allowErrors(/SPEC_INVALID|BACKEND_NOT_READY/);
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', fieldsOf('db')));
    const migration = aMigration('asks', { sourcePolicy: 'Delete' });
    await tenant.apply({ ...migration, spec: { ...migration.spec, consent: 'Required' } });
    const refused = await tenant.untilReady('asks', { status: 'False', reason: 'InvalidSpec' });
    expect(refused.status.conditions?.find(({ type }) => type === 'Stalled')?.message).toContain(
      'does not know spec.consent',
    );
    expect(await kvNames(tenant, tenant.namespace)).toEqual([]);

    await tenant.mergePatch('SecretBackend', 'bao', { spec: { consent: 'Required' } });
    await eventually('the backend names the field', async () => {
      const { conditions = [] } = (await tenant.backend('bao')).status;
      return conditions.some(
        ({ reason, message }) => reason === 'InvalidSpec' && message.includes('spec.consent'),
      );
    });
    await tenant.mergePatch('SecretMigration', 'asks', { spec: { consent: null } });
    await tenant.untilReady('asks', { status: 'False', reason: 'BackendNotReady' });
    expect(await sourceNames(tenant)).toEqual(['db']);

    await tenant.mergePatch('SecretBackend', 'bao', { spec: { consent: null } });
    await tenant.untilReady('asks', { status: 'True', reason: 'Completed' });
    expect(await wholeNames(tenant)).toEqual(['db']);
  });
});

describe('a status of another release', () => {
  it('keeps what is said of a backend, through another probe', async () => {
    const tenant = await migrated('db');
    const { conditions } = await statusOf(tenant, 'bao', 'secretbackends');
    if (!Array.isArray(conditions)) throw new Error('no conditions');
    await patchStatus(
      tenant,
      'bao',
      { rollout: 'canary', conditions: [...conditions, audited] },
      'secretbackends',
    );
    await tenant.mergePatch('SecretBackend', 'bao', { spec: { reservedPrefixes: [{ prefix: 'system' }] } });
    await eventually('the backend is probed again', async () => {
      const { status, metadata } = await tenant.backend('bao');
      return status.observedGeneration === metadata.generation;
    });
    const status = await statusOf(tenant, 'bao', 'secretbackends');
    expect(status).toMatchObject({
      rollout: 'canary',
      conditions: [{ type: 'Ready', status: 'True' }, audited],
    });
  });

  it('with a row for each key becomes one with a row for each document, also of removed ones, in one run', async () => {
    const tenant = await migrated('db', 'web');
    await tenant.mergePatch('SecretMigration', 'moved', { spec: { sourcePolicy: 'Delete' } });
    await eventually('the sources are gone', async () => (await sourceNames(tenant)).length === 0);
    const { status } = await tenant.untilReady('moved');
    await rewriteRows(tenant, 'moved', oneForEachKey);
    expect(await statusOf(tenant, 'moved')).toMatchObject({ keys: [{ key: 'password' }, {}, {}, {}] });

    const again = await requestRun(tenant, 'moved');
    expect(again.status.keys).toEqual(status.keys);
    expect(again.status.keys).toMatchObject([
      { name: 'db', keys: ['password', 'user'], state: 'Removed' },
      { name: 'web', keys: ['password', 'user'], state: 'Removed' },
    ]);
    expect(again.status.summary).toEqual(status.summary);
    expect(await wholeNames(tenant)).toEqual(['db', 'web']);
  });

  it('is read with fewer fields, as an older release writes it, and loses no row', async () => {
    const tenant = await migrated('db', 'web');
    await tenant.mergePatch('SecretMigration', 'moved', { spec: { suspend: true } });
    await rewriteRows(tenant, 'moved', ({ name, keys, state }) =>
      oneForEachKey({ name, keys, state, lastTransitionTime: '2026-01-01T00:00:00Z' }),
    );
    await patchStatus(tenant, 'moved', {
      summary: { skipped: null, removed: null },
      ...Object.fromEntries(
        ['documents', 'inventory', 'destinationStore', 'backends', 'progress'].map((name) => [name, null]),
      ),
    });
    await tenant.mergePatch('SecretMigration', 'moved', { spec: { suspend: false } });
    const done = await requestRun(tenant, 'moved');
    expect(done.status).toMatchObject({
      documents: 2,
      progress: '4/4',
      summary: { verified: 4, skipped: 0 },
    });
    expect(await statesOf(tenant, 'moved')).toEqual({ db: 'Verified', web: 'Verified' });
    for (const name of ['db', 'web']) expect(await versionOf(tenant, name)).toBe(1);
  });
});

/** Ends the leader as a rolling update does, lets the requests go that are held, and waits for the next leader. */
async function handOver(leader: OperatorProcess, next: OperatorProcess, open: () => void): Promise<void> {
  expect(next.logs()).not.toContain('became the leader');
  const stopped = leader.stop();
  open();
  expect(await stopped).toMatchObject({ code: 0 });
  await eventually('the next one leads', () => next.logs().includes('became the leader'));
}

describe('a rolling update in the middle of a migration', () => {
  it('hands it to the other process and back: nothing is lost, and nothing is written twice', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using writes = holdWrites(stage(), tenant);
    using removals = holdRemovals(stage(), tenant);
    await tenant.apply(aMigration('handed', { sourcePolicy: 'Delete' }));
    await writes.arrival;

    const args = ['--status-interval-seconds=1', '--waiting-retry-seconds=3600'];
    const options = { apiserverUrl: stage().api.url, args };
    await using newer = await startOperator(stage().cluster, options);
    await handOver(stage().operator, newer, () => writes.open());
    await removals.arrival;
    await using older = await startOperator(stage().cluster, options);
    await handOver(newer, older, () => removals.open());
    const done = await tenant.untilReady('handed');

    expect(done.status.summary).toMatchObject({ total: 2 * MANY, removed: 2 * MANY });
    expect(await wholeNames(tenant)).toEqual(names);
    expect(await sourceNames(tenant)).toEqual([]);
    const written = stage().bao.requests.filter(
      ({ method, path }) => method === 'POST' && path.startsWith(`/v1/${tenant.mount}/data/`),
    );
    expect(written.length).toBe(MANY);
  });
});
