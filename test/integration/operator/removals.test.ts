import { describe, expect, it } from 'vitest';
import { CLAIM_LABEL } from '#src/backends/kubernetes/marks.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { conditionOf, pathOf, reasonOf, requestRun, rowsByName } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, filesIn, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';

/* What protects a value between its last proof and the removal of its source (docs/removals.md), on real servers. */

const stage = useStage();
const KEEPING = { finalizers: ['example.org/keep'] };

function pathOfSecret({ namespace }: Tenant, name: string): string {
  return `/api/v1/namespaces/${namespace}/secrets/${name}`;
}

async function patchSecret(tenant: Tenant, name: string, metadata: object): Promise<void> {
  const type = { 'content-type': 'application/merge-patch+json' };
  await tenant.cluster.kube('PATCH', pathOfSecret(tenant, name), { metadata }, type);
}

async function claimOf(tenant: Tenant, name: string): Promise<string | undefined> {
  return (await tenant.secret(name))?.metadata.labels?.[CLAIM_LABEL];
}

/** Files on one side, Secrets on the other, and the same values in both. */
async function aTenantWithBoth(names: readonly string[]): Promise<{ tenant: Tenant; folder: string }> {
  const tenant = await stage().tenant();
  const folder = tokenFolderOf(tenant.cluster, tenant.namespace);
  plantFiles(folder, Object.fromEntries(names.map((name) => [name, `value of ${name}`])));
  await tenant.apply(aDirectoryBackend({ trailingNewline: 'Keep' }));
  for (const name of names) await tenant.apply(aSecret(name, { value: `value of ${name}` }));
  return { tenant, folder };
}

const FLAT = { mapping: { path: '{name}' }, sourcePolicy: 'Delete' as const };

describe('two migrations in opposite directions', () => {
  it('that both remove keep each value in at least one place, and name each other', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `doc-${index}`);
    const { tenant, folder } = await aTenantWithBoth(names);
    const crossing = { ...FLAT, select: { prefix: 'doc-' }, soakSeconds: 1 };
    await Promise.all([
      tenant.apply(aMigration('there', { ...crossing, from: 'kubernetes', to: 'files' })),
      tenant.apply(aMigration('back', { ...crossing, from: 'files', to: 'kubernetes' })),
    ]);
    for (const name of ['there', 'back']) await tenant.untilReady(name, { reason: 'ConflictsFound' });
    const files = filesIn(folder);
    const secrets = new Set((await tenant.secrets()).map(({ metadata }) => metadata.name));
    expect(names.filter((name) => files[name] === undefined && !secrets.has(name))).toEqual([]);
    const rows = [...(await tenant.rows('there')), ...(await tenant.rows('back'))];
    const crossed = rows.filter(({ reason }) => reason === 'CrossingMigrations');
    expect(crossed.length).toBeGreaterThan(0);
    for (const { message } of crossed)
      expect(message).toMatch(/\/(there|back) writes .*\/(there|back) removes/);
  });
});

describe('a Secret at the destination', () => {
  it('that a finalizer holds, or that has an owner, takes the place of no source', async () => {
    const { tenant, folder } = await aTenantWithBoth(['dying', 'owned', 'safe']);
    await patchSecret(tenant, 'dying', KEEPING);
    await tenant.delete('Secret', 'dying');
    const backend = await tenant.backend('files');
    const { uid } = backend.metadata;
    const owner = { apiVersion: backend.apiVersion, kind: backend.kind, name: 'files', uid };
    await patchSecret(tenant, 'owned', { ownerReferences: [owner] });

    const select = { names: ['dying', 'owned', 'safe'] };
    await tenant.apply(aMigration('moving', { ...FLAT, from: 'files', to: 'kubernetes', select }));
    await tenant.untilReady('moving', { reason: 'ConflictsFound' });
    expect(await rowsByName(tenant, 'moving')).toMatchObject({
      dying: { state: 'Conflict', reason: 'DestinationLeaving' },
      owned: {
        state: 'Conflict',
        reason: 'DestinationOwned',
        message: expect.stringContaining('SecretBackend files'),
      },
      safe: { state: 'Removed' },
    });
    expect(Object.keys(filesIn(folder)).toSorted()).toEqual(['dying', 'owned']);
    await patchSecret(tenant, 'dying', { finalizers: null });
  });
});

describe('a source', () => {
  it('that a finalizer holds is not Removed, and the migration not Completed, until it is gone', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('held', { password: 'hunter2' }));
    await patchSecret(tenant, 'held', KEEPING);
    await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('moving', { reason: 'PartiallyFailed' });
    expect((await rowsByName(tenant, 'moving'))['held']).toMatchObject({
      state: 'Verified',
      reason: 'RemovalPending',
    });
    await patchSecret(tenant, 'held', { finalizers: null });
    await requestRun(tenant, 'moving');
    expect(reasonOf(await tenant.untilReady('moving', { reason: 'Completed' }))).toBe('Completed');
    expect((await rowsByName(tenant, 'moving'))['held']?.state).toBe('Removed');
  });

  it('stays when its removal arrives after the migration was suspended and the copy is gone', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('slow', { password: 'hunter2' }));
    const { promise: until, resolve: deliver } = Promise.withResolvers<void>();
    const match = { method: 'DELETE', path: new RegExp(`/${tenant.namespace}/secrets/slow$`) };
    const late = stage().api.onRequest(match, { kind: 'deliver-late', until });
    await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
    const removal = await late.firstHit;
    expect(await claimOf(tenant, 'slow')).toMatch(/^[0-9a-f-]{36}\./);
    await tenant.mergePatch('SecretMigration', 'moving', { spec: { suspend: true } });
    await eventually('the migration is suspended', async () => {
      const migration = await tenant.migration('moving');
      return conditionOf(migration, 'Suspended')?.status === 'True';
    });
    expect(await claimOf(tenant, 'slow')).toBeUndefined();
    // The user trusts the suspension and removes the copy.
    await tenant.cluster.bao('DELETE', `${tenant.mount}/metadata/${pathOf(tenant, 'slow')}`);
    deliver();
    await eventually('the removal arrives', () => removal.status !== undefined);
    expect(removal.status).toBe(409);
    expect((await tenant.secret('slow'))?.data).toEqual({ password: btoa('hunter2') });
    late.remove();
  });
});

describe('a Secret that others depend on', () => {
  it('stays while a pod uses it, and goes with the next run once the pod is gone', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', { password: 'hunter2' }));
    const pods = `/api/v1/namespaces/${tenant.namespace}/pods`;
    const envFrom = [{ secretRef: { name: 'db' } }];
    const spec = { containers: [{ name: 'web', image: 'example.invalid/web', envFrom }] };
    await tenant.cluster.kube('POST', pods, { metadata: { name: 'web' }, spec });

    await tenant.apply(aMigration('plan', { sourcePolicy: 'Delete', dryRun: true }));
    const planned = await tenant.untilReady('plan');
    expect(planned.status.plan).toMatchObject({ create: 1, remove: 0 });
    const message = expect.stringContaining('The source is kept: Pod web uses this Secret.');
    expect((await rowsByName(tenant, 'plan'))['db']).toMatchObject({ reason: 'WouldCreate', message });

    await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('moving', { reason: 'PartiallyFailed' });
    expect((await rowsByName(tenant, 'moving'))['db']).toMatchObject({
      state: 'Verified',
      reason: 'InUse',
      message,
    });
    expect(await tenant.secret('db')).toBeDefined();
    expect(await claimOf(tenant, 'db')).toBeUndefined();
    await tenant.cluster.kube('DELETE', `${pods}/web?gracePeriodSeconds=0`);
    await requestRun(tenant, 'moving');
    await tenant.untilReady('moving', { reason: 'Completed' });
    expect(await tenant.secret('db')).toBeUndefined();
  });

  it('stays while another program manages it, unless the spec says so', async () => {
    const tenant = await stage().tenant();
    const labels = { 'reconcile.external-secrets.io/managed': 'true' };
    await tenant.apply(aSecret('db', { password: 'hunter2' }, { labels }));
    await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('moving', { reason: 'PartiallyFailed' });
    expect((await rowsByName(tenant, 'moving'))['db']).toMatchObject({
      state: 'Verified',
      reason: 'OwnedElsewhere',
      message: expect.stringContaining('External Secrets manages this Secret'),
    });
    await tenant.mergePatch('SecretMigration', 'moving', { spec: { removal: { owned: 'Remove' } } });
    await tenant.untilReady('moving', { reason: 'Completed' });
    expect(await tenant.secret('db')).toBeUndefined();
  });
});
