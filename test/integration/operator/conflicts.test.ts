import type { V1Secret } from '@kubernetes/client-node';
import type { Stored } from '#src/kube/wire.ts';
import { describe, expect, it } from 'vitest';
import { TYPE_MARKER } from '#src/backends/openbao/markers.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { overtake } from '#test/support/gate.ts';
import {
  columnsOf,
  conditionOf,
  eventOf,
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

const stage = useStage();

const MINE = { user: 'app', password: 'mine' };
const THEIRS = { user: 'app', password: 'theirs' };

/** A tenant with these Secrets. */
async function aTenantWith(secrets: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  const tenant = await stage().tenant();
  for (const [name, fields] of Object.entries(secrets)) await tenant.apply(aSecret(name, fields));
  return tenant;
}

/** Removes the bytes of a version for good; its number stays taken. */
async function destroy(tenant: Tenant, name: string, version: number): Promise<void> {
  const path = `${tenant.mount}/destroy/${pathOf(tenant, name)}`;
  await tenant.cluster.bao('POST', path, { versions: [version] });
}

/** Removes all versions and the name, as `bao kv metadata delete` does. */
async function removeForGood(tenant: Tenant, name: string): Promise<void> {
  await tenant.cluster.bao('DELETE', `${tenant.mount}/metadata/${pathOf(tenant, name)}`);
}

/** Writes to this path of the mount that passed the proxy. */
function writesTo(tenant: Tenant, name: string): number {
  const path = new RegExp(`^/v1/${tenant.mount}/[a-z-]+/${pathOf(tenant, name)}$`);
  return stage().bao.count((request) => request.method !== 'GET' && path.test(request.path));
}

describe('a destination that holds something else', () => {
  describeReporting();
  describeOthers();
});

function describeReporting(): void {
  it('stays as it is and is shown as a conflict, and the other documents finish', async () => {
    const tenant = await aTenantWith({ theirs: MINE, free: MINE, other: { a: '1', b: '2', c: '3' } });
    await kvPut(tenant, pathOf(tenant, 'theirs'), THEIRS);
    await tenant.apply(aMigration('clash'));
    const migration = await tenant.untilReady('clash', { status: 'False', reason: 'ConflictsFound' });

    expect(await statesOf(tenant, 'clash')).toEqual({
      theirs: 'Conflict DestinationDiffers',
      free: 'Verified',
      other: 'Verified',
    });
    expect(await kvData(tenant, pathOf(tenant, 'theirs'))).toEqual(THEIRS);
    expect(await versionOf(tenant, 'theirs')).toBe(1);
    expect(writesTo(tenant, 'theirs')).toBe(0);
    expect(await kvData(tenant, pathOf(tenant, 'free'))).toEqual(MINE);

    expect(migration.status.summary).toMatchObject({ total: 7, verified: 5, conflict: 2, failed: 0 });
    expect(conditionOf(migration, 'Succeeded')).toMatchObject({ status: 'False', reason: 'ConflictsFound' });
  });

  it('is told in words, in the columns of kubectl get and as a warning', async () => {
    const tenant = await aTenantWith({ theirs: MINE, free: { a: '1' } });
    await kvPut(tenant, pathOf(tenant, 'theirs'), THEIRS);
    await tenant.apply(aMigration('told'));
    const migration = await tenant.untilReady('told', { status: 'False', reason: 'ConflictsFound' });

    const message = conditionOf(migration, 'Ready')?.message;
    expect(message).toBe(
      '1/3 keys verified; 2 in conflict. First: "theirs" (DestinationDiffers); its row in status says what to do. See https://keyferry.io/docs/reasons#conflictsfound.',
    );
    const { theirs } = await rowsByName(tenant, 'told');
    expect(theirs).toMatchObject({ destination: { path: pathOf(tenant, 'theirs') } });
    expect(theirs?.message).toBe(
      'The destination has other bytes in the same keys. Make source and destination equal, or exclude the document.',
    );
    expect(await columnsOf(tenant, 'told')).toEqual({
      NAME: 'told',
      READY: 'False',
      STATUS: 'ConflictsFound',
      PROGRESS: '1/3',
      FAILED: '0',
      CONFLICTS: '2',
    });
    expect(await eventOf(tenant, 'ConflictsFound')).toMatchObject({ type: 'Warning', note: message });
  });

  it('is a conflict also when it only has one field more, or one less', async () => {
    const tenant = await aTenantWith({ more: MINE, less: MINE, free: MINE });
    const more = { ...MINE, extra: 'of another writer' };
    const less = { user: MINE.user };
    await kvPut(tenant, pathOf(tenant, 'more'), more);
    await kvPut(tenant, pathOf(tenant, 'less'), less);
    await tenant.apply(aMigration('shapes'));
    await tenant.untilReady('shapes', { status: 'False', reason: 'ConflictsFound' });

    expect(await statesOf(tenant, 'shapes')).toEqual({
      more: 'Conflict DestinationDiffers',
      less: 'Conflict DestinationDiffers',
      free: 'Verified',
    });
    expect(await kvData(tenant, pathOf(tenant, 'more'))).toEqual(more);
    expect(await kvData(tenant, pathOf(tenant, 'less'))).toEqual(less);
    expect(await versionOf(tenant, 'more')).toBe(1);
    expect(await versionOf(tenant, 'less')).toBe(1);
  });
}

function describeOthers(): void {
  it('was deleted or destroyed there: it is not written again behind the back of whoever did that', async () => {
    const tenant = await aTenantWith({ deleted: MINE, destroyed: MINE, free: MINE });
    for (const name of ['deleted', 'destroyed']) await kvPut(tenant, pathOf(tenant, name), MINE);
    await softDelete(tenant, 'deleted');
    await destroy(tenant, 'destroyed', 1);
    const before = await kvMetadata(tenant, pathOf(tenant, 'deleted'));
    await tenant.apply(aMigration('graves'));
    await tenant.untilReady('graves', { status: 'False', reason: 'ConflictsFound' });

    expect(await statesOf(tenant, 'graves')).toEqual({
      deleted: 'Conflict DestinationDeleted',
      destroyed: 'Conflict DestinationDeleted',
      free: 'Verified',
    });
    expect((await rowsByName(tenant, 'graves'))['deleted']?.message).toBe(
      'The current version at the destination is deleted. Undelete it, or remove its metadata.',
    );
    expect(await kvMetadata(tenant, pathOf(tenant, 'deleted'))).toEqual(before);
    expect(await versionOf(tenant, 'destroyed')).toBe(1);
    expect(writesTo(tenant, 'deleted') + writesTo(tenant, 'destroyed')).toBe(0);
  });

  it('keeps its source, although sources are to be removed', async () => {
    const tenant = await aTenantWith({ theirs: MINE, free: MINE });
    await tenant.apply(aSecret('typed', MINE, { type: 'kubernetes.io/basic-auth' }));
    await kvPut(tenant, pathOf(tenant, 'theirs'), THEIRS);
    await kvPut(tenant, pathOf(tenant, 'typed'), MINE); // Knows nothing of the type, which would be lost.
    await tenant.apply(aMigration('kept', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('kept', { status: 'False', reason: 'ConflictsFound' });

    expect(await statesOf(tenant, 'kept')).toEqual({
      theirs: 'Conflict DestinationDiffers',
      typed: 'Conflict AttributesDiffer',
      free: 'Removed',
    });
    expect(await tenant.secret('theirs')).toMatchObject({ data: aSecret('theirs', MINE).data });
    expect(await tenant.secret('typed')).toMatchObject({ data: aSecret('typed', MINE).data });
    expect(await tenant.secret('free')).toBeUndefined();
  });

  it('is another writer’s write between the look and our own: theirs wins', async () => {
    const tenant = await aTenantWith({ raced: MINE, free: MINE });
    const overtaken = overtake(stage().bao, dataPathOf(tenant, 'raced'), async () =>
      kvPut(tenant, pathOf(tenant, 'raced'), THEIRS),
    );
    await tenant.apply(aMigration('race'));
    await tenant.untilReady('race', { status: 'False', reason: 'ConflictsFound' });
    await overtaken;

    expect(await statesOf(tenant, 'race')).toEqual({
      raced: 'Conflict DestinationDiffers',
      free: 'Verified',
    });
    expect(await kvData(tenant, pathOf(tenant, 'raced'))).toEqual(THEIRS);
    expect(await versionOf(tenant, 'raced')).toBe(1);
  });
}

describe('a destination that holds the same', () => {
  it('is adopted as it is, whoever wrote it: nothing is written', async () => {
    const tenant = await aTenantWith({ same: MINE, free: MINE });
    await kvPut(tenant, pathOf(tenant, 'same'), { older: 'value' });
    await kvPut(tenant, pathOf(tenant, 'same'), { password: MINE.password, user: MINE.user });
    await tenant.apply(aMigration('adopt'));
    const migration = await tenant.untilReady('adopt');

    expect(reasonOf(migration)).toBe('Completed');
    const rows = await rowsByName(tenant, 'adopt');
    expect(rows['same']).toMatchObject({ state: 'Verified', destination: { version: '2' } });
    expect(rows['free']).toMatchObject({ state: 'Verified', destination: { version: '1' } });
    expect(await versionOf(tenant, 'same')).toBe(2);
    expect(writesTo(tenant, 'same')).toBe(0);
  });

  it('is adopted also when somebody was faster by the blink of an eye', async () => {
    const tenant = await aTenantWith({ raced: MINE });
    const overtaken = overtake(stage().bao, dataPathOf(tenant, 'raced'), async () =>
      kvPut(tenant, pathOf(tenant, 'raced'), MINE),
    );
    await tenant.apply(aMigration('race'));
    await tenant.untilReady('race');
    await overtaken;
    expect(await statesOf(tenant, 'race')).toEqual({ raced: 'Verified' });
    expect(await versionOf(tenant, 'raced')).toBe(1);
  });
});

describe('a conflict that its users have settled', () => {
  it('completes when they ask for a run: by an equal value, by removal, or by undeleting', async () => {
    const tenant = await aTenantWith({ equal: MINE, removed: MINE, undeleted: MINE, destroyed: MINE });
    for (const name of ['equal', 'removed', 'destroyed']) await kvPut(tenant, pathOf(tenant, name), THEIRS);
    await kvPut(tenant, pathOf(tenant, 'undeleted'), MINE);
    await softDelete(tenant, 'undeleted');
    await destroy(tenant, 'destroyed', 1);
    await tenant.apply(aMigration('settled'));
    const before = await tenant.untilReady('settled', { status: 'False', reason: 'ConflictsFound' });
    expect(before.status.summary).toMatchObject({ total: 8, conflict: 8 });

    await kvPut(tenant, pathOf(tenant, 'equal'), MINE);
    await removeForGood(tenant, 'removed');
    await tenant.cluster.bao('POST', `${tenant.mount}/undelete/${pathOf(tenant, 'undeleted')}`, {
      versions: [1],
    });
    await kvPut(tenant, pathOf(tenant, 'destroyed'), MINE);
    const after = await requestRun(tenant, 'settled');

    expect(reasonOf(after)).toBe('Completed');
    expect(await columnsOf(tenant, 'settled')).toMatchObject({ PROGRESS: '8/8', CONFLICTS: '0' });
    const rows = await rowsByName(tenant, 'settled');
    const versions = Object.entries(rows).map(([name, row]) => [name, row.state, row.destination?.version]);
    expect(versions).toEqual([
      ['undeleted', 'Verified', '1'],
      ['removed', 'Verified', '1'],
      ['equal', 'Verified', '2'],
      ['destroyed', 'Verified', '2'],
    ]);
    expect(await kvData(tenant, pathOf(tenant, 'removed'))).toEqual(MINE);
    expect(writesTo(tenant, 'equal') + writesTo(tenant, 'undeleted') + writesTo(tenant, 'destroyed')).toBe(0);
  });

  it('stays a conflict when they ask for a run and have changed nothing', async () => {
    const tenant = await aTenantWith({ theirs: MINE });
    await kvPut(tenant, pathOf(tenant, 'theirs'), THEIRS);
    await tenant.apply(aMigration('again'));
    await tenant.untilReady('again', { status: 'False', reason: 'ConflictsFound' });
    expect(reasonOf(await requestRun(tenant, 'again'))).toBe('ConflictsFound');
    expect(await kvData(tenant, pathOf(tenant, 'theirs'))).toEqual(THEIRS);
    expect(await versionOf(tenant, 'theirs')).toBe(1);
  });
});

describe('on the way back', () => {
  /** From below the folder of the namespace into its Secrets. */
  const back = (name: string) => aMigration(name, { from: 'bao', to: 'kubernetes' });

  async function storedSecret(tenant: Tenant, name: string): Promise<Stored<V1Secret>> {
    return await tenant.cluster.kube('GET', `/api/v1/namespaces/${tenant.namespace}/secrets/${name}`);
  }

  it('a Secret with other data, fields or type is a conflict and stays as it is', async () => {
    const tenant = await aTenantWith({ data: THEIRS, more: { ...MINE, extra: '' }, same: MINE });
    await tenant.apply(aSecret('type', MINE, { type: 'kubernetes.io/basic-auth' }));
    for (const name of ['data', 'more', 'same', 'free']) await kvPut(tenant, pathOf(tenant, name), MINE);
    await tenant.cluster.bao('POST', `${tenant.mount}/metadata/${pathOf(tenant, 'type')}`, {
      custom_metadata: { [TYPE_MARKER]: 'example.com/login' },
    });
    await kvPut(tenant, pathOf(tenant, 'type'), MINE);
    const names = ['data', 'more', 'type', 'same'];
    const before = await Promise.all(names.map((name) => storedSecret(tenant, name)));
    await tenant.apply(back('back'));
    await tenant.untilReady('back', { status: 'False', reason: 'ConflictsFound' });

    expect(await statesOf(tenant, 'back')).toEqual({
      data: 'Conflict DestinationDiffers',
      more: 'Conflict DestinationDiffers',
      type: 'Conflict AttributesDiffer',
      same: 'Verified',
      free: 'Verified',
    });
    expect(await Promise.all(names.map((name) => storedSecret(tenant, name)))).toEqual(before);
    expect((await storedSecret(tenant, 'free')).data).toEqual(aSecret('free', MINE).data);
  });

  it('a Secret that somebody creates between the look and our own write is theirs', async () => {
    const tenant = await stage().tenant();
    await kvPut(tenant, pathOf(tenant, 'raced'), MINE);
    const path = new RegExp(`^/api/v1/namespaces/${tenant.namespace}/secrets$`);
    let theirs: Stored<V1Secret> | undefined;
    const overtaken = overtake(stage().api, path, async () => {
      await tenant.apply(aSecret('raced', THEIRS));
      theirs = await storedSecret(tenant, 'raced');
    });
    await tenant.apply(back('race'));
    await tenant.untilReady('race', { status: 'False', reason: 'ConflictsFound' });
    await overtaken;
    expect(await statesOf(tenant, 'race')).toEqual({ raced: 'Conflict DestinationDiffers' });
    expect(theirs?.data).toEqual(aSecret('raced', THEIRS).data);
    expect(await storedSecret(tenant, 'raced')).toEqual(theirs);
  });

  it('completes once the Secret is gone and a run is asked for', async () => {
    const tenant = await aTenantWith({ db: THEIRS });
    await kvPut(tenant, pathOf(tenant, 'db'), MINE);
    await tenant.apply(back('back'));
    await tenant.untilReady('back', { status: 'False', reason: 'ConflictsFound' });
    await tenant.delete('Secret', 'db');
    await eventually('it is gone', async () => (await tenant.secret('db')) === undefined);
    expect(reasonOf(await requestRun(tenant, 'back'))).toBe('Completed');
    expect((await storedSecret(tenant, 'db')).data).toEqual(aSecret('db', MINE).data);
  });
});
