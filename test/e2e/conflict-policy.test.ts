import { describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { overtake } from '#test/support/gate.ts';
import {
  conditionOf,
  dataPathOf,
  kvData,
  kvMetadata,
  kvPut,
  pathOf,
  reasonOf,
  requestRun,
  rowsByName,
  softDelete,
  statesOf,
  versionOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

const stage = useStage();

const MINE = { user: 'app', password: 'mine' };
const THEIRS = { user: 'app', password: 'theirs' };

/** The identity of a KV version is when the server made it. */
const A_TIME: unknown = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T[0-9:.]+Z$/);

/** `free` has no destination yet, `equal` an equal one, `taken` one with other bytes, `deleted` a soft-deleted one. */
async function aTenantInConflict(): Promise<Tenant> {
  const tenant = await stage().tenant();
  for (const name of ['free', 'equal', 'taken', 'deleted']) await tenant.apply(aSecret(name, MINE));
  await kvPut(tenant, pathOf(tenant, 'equal'), MINE);
  for (const name of ['taken', 'deleted']) await kvPut(tenant, pathOf(tenant, name), THEIRS);
  await softDelete(tenant, 'deleted');
  return tenant;
}

describe('conflictPolicy KeepDestination', () => {
  it('leaves what differs alone on both sides, says why, and is done', async () => {
    const tenant = await aTenantInConflict();
    await tenant.apply(aMigration('keep', { conflictPolicy: 'KeepDestination', sourcePolicy: 'Delete' }));
    const migration = await tenant.untilReady('keep');

    expect(reasonOf(migration)).toBe('Completed');
    expect(migration.status.summary).toMatchObject({ removed: 4, skipped: 4, conflict: 0 });
    expect(await statesOf(tenant, 'keep')).toEqual({
      free: 'Removed',
      equal: 'Removed',
      taken: 'Skipped DestinationDiffers',
      deleted: 'Skipped DestinationDeleted',
    });
    expect(await kvData(tenant, pathOf(tenant, 'taken'))).toEqual(THEIRS);
    expect([await versionOf(tenant, 'taken'), await versionOf(tenant, 'deleted')]).toEqual([1, 1]);
    for (const name of ['taken', 'deleted']) expect(await tenant.secret(name), name).toBeDefined();
    for (const name of ['free', 'equal']) expect(await tenant.secret(name), name).toBeUndefined();
  });
});

describe('conflictPolicy Overwrite', () => {
  describeOverwriting();
  describeLostReplies();
  describeLimits();
});

function describeOverwriting(): void {
  it('writes over what differs and names the version to go back to', async () => {
    const tenant = await aTenantInConflict();
    await tenant.apply(aMigration('over', { conflictPolicy: 'Overwrite' }));
    const migration = await tenant.untilReady('over');

    expect(reasonOf(migration)).toBe('Completed');
    const rows = await rowsByName(tenant, 'over');
    expect(Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, row.destination]))).toEqual({
      free: { path: pathOf(tenant, 'free'), version: '1', identity: A_TIME, created: true },
      equal: { path: pathOf(tenant, 'equal'), version: '1', identity: A_TIME, created: false },
      taken: { path: pathOf(tenant, 'taken'), version: '2', identity: A_TIME, priorVersion: '1' },
      deleted: { path: pathOf(tenant, 'deleted'), version: '2', identity: A_TIME, priorVersion: '1' },
    });
    expect(new Set(Object.values(rows).map(({ state }) => state))).toEqual(new Set(['Verified']));
    expect(await kvData(tenant, pathOf(tenant, 'taken'))).toEqual(MINE);
    expect(await kvData(tenant, pathOf(tenant, 'taken'), 1)).toEqual(THEIRS);
  });

  it('has what it overwrites on record before it writes', async () => {
    const tenant = await aTenantInConflict();
    const release = Promise.withResolvers<void>();
    const path = dataPathOf(tenant, 'taken');
    const rule = stage().bao.onRequest({ method: 'POST', path }, { kind: 'hold', until: release.promise });
    await tenant.apply(aMigration('recorded', { conflictPolicy: 'Overwrite' }));
    await rule.firstHit;
    const { taken } = await rowsByName(tenant, 'recorded');
    expect(taken).toMatchObject({
      state: 'Pending',
      reason: 'WillOverwrite',
      destination: { priorVersion: '1' },
    });
    release.resolve();
    rule.remove();
    await tenant.untilReady('recorded');
  });

  it('does not claim after a dry run to have overwritten what another writer made equal since', async () => {
    const tenant = await aTenantInConflict();
    const select = { names: ['taken'] };
    await tenant.apply(aMigration('rehearsed', { conflictPolicy: 'Overwrite', dryRun: true, select }));
    await tenant.untilReady('rehearsed', { reason: 'DryRunCompleted' });
    await kvPut(tenant, pathOf(tenant, 'taken'), MINE);
    await tenant.mergePatch('SecretMigration', 'rehearsed', { spec: { dryRun: false } });
    await tenant.untilReady('rehearsed', { reason: 'Completed' });

    const { taken } = await rowsByName(tenant, 'rehearsed');
    expect(taken?.destination).toEqual({ path: pathOf(tenant, 'taken'), version: '2', identity: A_TIME });
  });

  it('loses a race against another writer and then overwrites what that one wrote', async () => {
    const tenant = await aTenantInConflict();
    const overtaken = overtake(stage().bao, dataPathOf(tenant, 'taken'), async () =>
      kvPut(tenant, pathOf(tenant, 'taken'), { rotated: 'meanwhile' }),
    );
    await tenant.apply(aMigration('race', { conflictPolicy: 'Overwrite' }));
    await overtaken;
    await tenant.untilReady('race');

    const { taken } = await rowsByName(tenant, 'race');
    expect(taken?.destination).toMatchObject({ version: '3', priorVersion: '2' });
    expect(await kvData(tenant, pathOf(tenant, 'taken'), 2)).toEqual({ rotated: 'meanwhile' });
    expect(await kvData(tenant, pathOf(tenant, 'taken'))).toEqual(MINE);
  });
}

function describeLostReplies(): void {
  it('knows the version to go back to although the reply to its write was lost', async () => {
    const tenant = await aTenantInConflict();
    const path = dataPathOf(tenant, 'taken');
    const rule = stage().bao.onRequest({ method: 'POST', path }, { kind: 'drop-after' }, 1);
    await tenant.apply(aMigration('lost', { conflictPolicy: 'Overwrite' }));
    await tenant.untilReady('lost');

    expect(rule.hits).toBe(1);
    const { taken } = await rowsByName(tenant, 'lost');
    expect(taken?.destination).toMatchObject({ version: '2', priorVersion: '1' });
    expect(await versionOf(tenant, 'taken')).toBe(2);
  });

  it('knows it as well when it was killed between the write and its row', async () => {
    const tenant = await aTenantInConflict();
    const path = dataPathOf(tenant, 'taken');
    const rule = stage().bao.onRequest(
      { method: 'GET', path, query: /version=2/ },
      { kind: 'hold', until: new Promise(() => undefined) },
    );
    await tenant.apply(aMigration('killed', { conflictPolicy: 'Overwrite' }));
    await rule.firstHit;
    await stage().operator.kill();
    rule.remove();
    await stage().restartOperator();
    await tenant.untilReady('killed');

    const { taken } = await rowsByName(tenant, 'killed');
    expect(taken?.destination).toMatchObject({ version: '2', priorVersion: '1' });
    expect(await versionOf(tenant, 'taken')).toBe(2);
  });

  it('writes nothing when it is asked again, and still knows', async () => {
    const tenant = await aTenantInConflict();
    await tenant.apply(aMigration('again', { conflictPolicy: 'Overwrite' }));
    const before = (await tenant.untilReady('again')).status;
    const writes = stage().bao.count({ method: 'POST', path: new RegExp(`/${tenant.mount}/data/`) });
    const { status } = await requestRun(tenant, 'again');

    expect(stage().bao.count({ method: 'POST', path: new RegExp(`/${tenant.mount}/data/`) })).toBe(writes);
    expect({ ...status, lastHandledReconcileAt: undefined }).toEqual({
      ...before,
      lastHandledReconcileAt: undefined,
    });
  });
}

function describeLimits(): void {
  it('under dryRun says what would be overwritten and does not', async () => {
    const tenant = await aTenantInConflict();
    await tenant.apply(aMigration('dry', { conflictPolicy: 'Overwrite', dryRun: true }));
    const migration = await tenant.untilReady('dry');
    expect(reasonOf(migration)).toBe('DryRunCompleted');
    expect(await statesOf(tenant, 'dry')).toEqual({
      free: 'Pending WouldCreate',
      equal: 'Pending WouldAdopt',
      taken: 'Pending WouldOverwrite',
      deleted: 'Pending WouldOverwrite',
    });
    expect(await kvData(tenant, pathOf(tenant, 'taken'))).toEqual(THEIRS);
  });

  it('removes a source only after what was overwritten has been proven', async () => {
    const tenant = await aTenantInConflict();
    await tenant.apply(aMigration('move', { conflictPolicy: 'Overwrite', sourcePolicy: 'Delete' }));
    const migration = await tenant.untilReady('move');
    expect(migration.status.summary).toMatchObject({ removed: 8 });
    const { taken } = await rowsByName(tenant, 'move');
    expect(taken).toMatchObject({ state: 'Removed', destination: { version: '2', priorVersion: '1' } });
    expect(await tenant.secret('taken')).toBeUndefined();
    expect(await kvData(tenant, pathOf(tenant, 'taken'))).toEqual(MINE);
  });

  it('is refused on a mount that forgets what is written over', async () => {
    const tenant = await aTenantInConflict();
    await tenant.cluster.bao('POST', `${tenant.mount}/config`, { max_versions: 1 });
    await tenant.apply(aMigration('forgetful', { conflictPolicy: 'Overwrite' }));
    await tenant.untilReady('forgetful', { status: 'False', reason: 'CapabilityMissing' });
    expect(await kvData(tenant, pathOf(tenant, 'taken'))).toEqual(THEIRS);
    expect(await kvMetadata(tenant, pathOf(tenant, 'free'))).toBeUndefined();
  });

  it('is refused for a path that forgets, below a mount that does not', async () => {
    const tenant = await aTenantInConflict();
    const path = `${tenant.mount}/metadata/${pathOf(tenant, 'taken')}`;
    await tenant.cluster.bao('POST', path, { max_versions: 1 });
    await tenant.apply(aMigration('forgetful', { conflictPolicy: 'Overwrite' }));
    await tenant.untilReady('forgetful', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'forgetful')).toMatchObject({
      taken: 'Failed CapabilityMissing',
      deleted: 'Verified',
    });
    expect(await kvData(tenant, pathOf(tenant, 'taken'))).toEqual(THEIRS);
  });

  it('is refused where nothing could be gone back to: Secrets have no earlier versions', async () => {
    const tenant = await stage().tenant();
    await kvPut(tenant, pathOf(tenant, 'app'), MINE);
    await tenant.apply(aSecret('app', THEIRS));
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', conflictPolicy: 'Overwrite' }));
    const migration = await tenant.untilReady('back', { status: 'False', reason: 'CapabilityMissing' });
    expect(conditionOf(migration, 'Ready')?.message).toContain('Use conflictPolicy Fail or KeepDestination');
    const data = (await tenant.secret('app'))?.data;
    expect(data?.['password']).toBe(Buffer.from('theirs').toString('base64'));
  });
}
