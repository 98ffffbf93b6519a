import { describe, expect, it } from 'vitest';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { fieldsOf, plantMany, sourceNames, wholeNames } from './documents.ts';
import {
  dataPathOf,
  kvData,
  kvMetadata,
  kvPut,
  reasonOf,
  requestRun,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';

const stage = useStage();
const HOUR_MS = 3_600_000;

async function withDocument(name: string, tenant?: Tenant): Promise<Tenant> {
  const owner = tenant ?? (await stage().tenant());
  await owner.apply(aSecret(name, fieldsOf(name)));
  return owner;
}

describe('sourcePolicy Delete', () => {
  describeRemovals();
  describeObstacles();
});

function describeRemovals(): void {
  it('leaves the values at the destination only, and a second run finds nothing to do', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc', 3);
    await tenant.apply(aMigration('move', { sourcePolicy: 'Delete' }));
    const done = await tenant.untilReady('move');
    expect(done.status).toMatchObject({ progress: '6/6', summary: { total: 6, removed: 6 } });
    expect(await sourceNames(tenant)).toEqual([]);
    expect(await wholeNames(tenant)).toEqual(names);
    const rows = await tenant.rows('move');
    expect(rows.map(({ state, destination }) => [state, destination?.version])).toEqual(
      rows.map(() => ['Removed', '1']),
    );

    const before = stage().changesOf(tenant);
    const again = await requestRun(tenant, 'move');
    expect(reasonOf(again)).toBe('Completed');
    expect(stage().changesOf(tenant)).toEqual(before);
    expect(await tenant.rows('move')).toEqual(rows);
  });

  it('never removes a Secret that a backend of the namespace reads its credentials from', async () => {
    const tenant = await withDocument('db');
    await withDocument('spare-token', tenant);
    const { cluster, mount } = tenant;
    await tenant.apply(
      anOpenBaoBackend({
        name: 'spare',
        tokenSecret: 'spare-token',
        address: cluster.baoUrl,
        mount,
        caBundle: cluster.baoCaPem,
      }),
    );
    const names = ['db', 'bao-token', 'spare-token'];
    await tenant.apply(aMigration('named', { sourcePolicy: 'Delete', select: { names } }));
    const done = await tenant.untilReady('named', { status: 'True', reason: 'Completed' });

    expect(await statesOf(tenant, 'named')).toEqual({
      db: 'Removed',
      'bao-token': 'Verified TrustRoot',
      'spare-token': 'Verified TrustRoot',
    });
    expect(done.status.summary).toMatchObject({ total: 5, verified: 3, removed: 2 });
    const [row] = (await tenant.rows('named')).filter(({ name }) => name === 'spare-token');
    expect(row?.message).toBe(
      'The source is kept: SecretBackend spare reads its credentials from this Secret.',
    );
    expect((await tenant.secrets()).map(({ metadata }) => metadata.name).toSorted()).toEqual([
      'bao-token',
      'spare-token',
    ]);
    expect(await kvData(tenant, `${tenant.namespace}/spare-token`)).toEqual(fieldsOf('spare-token'));
  });

  it('removes an immutable Secret, and one with a finalizer as soon as that lets go', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('pinned', fieldsOf('pinned'), { immutable: true }));
    const guarded = aSecret('guarded', fieldsOf('guarded'));
    const metadata = { name: 'guarded', finalizers: ['example.org/guard'] };
    await tenant.apply({ ...guarded, metadata });
    await tenant.apply(aMigration('move', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('move', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'move')).toEqual({
      pinned: 'Removed',
      guarded: 'Verified RemovalPending',
    });
    expect(await sourceNames(tenant)).toEqual(['guarded']);

    await tenant.apply(guarded);
    await eventually('the guarded Secret is gone', async () => (await sourceNames(tenant)).length === 0);
    expect(reasonOf(await requestRun(tenant, 'move'))).toBe('Completed');
    expect(await statesOf(tenant, 'move')).toEqual({ pinned: 'Removed', guarded: 'Removed' });
    expect(await wholeNames(tenant)).toEqual(['guarded', 'pinned']);
  });
}

function describeObstacles(): void {
  it('is not Completed when a source may not be removed, and goes on when it may', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc', 3);
    const denial = stage().api.onRequest(
      { method: 'DELETE', path: new RegExp(`/${tenant.namespace}/secrets/doc-01$`) },
      {
        kind: 'status',
        code: 403,
        body: { kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403 },
      },
    );
    await tenant.apply(aMigration('move', { sourcePolicy: 'Delete' }));
    const stuck = await tenant.untilReady('move', { status: 'False', reason: 'PartiallyFailed' });
    expect(stuck.status.conditions?.[0]?.message).toBe(
      '6/6 keys verified; 1 source not removed yet. First: "doc-01" (PermissionDenied); its row in status says what to do. See https://keyferry.io/docs/reasons#partiallyfailed.',
    );
    expect(await statesOf(tenant, 'move')).toEqual({
      'doc-00': 'Removed',
      'doc-01': 'Verified PermissionDenied',
      'doc-02': 'Removed',
    });

    denial.remove();
    expect(reasonOf(await requestRun(tenant, 'move'))).toBe('Completed');
    expect(await sourceNames(tenant)).toEqual([]);
    expect(await wholeNames(tenant)).toEqual(names);
  });

  it('is not Completed when a removal failed in passing: it is tried again by itself', async () => {
    const tenant = await withDocument('db');
    const removal = { method: 'DELETE', path: new RegExp(`/${tenant.namespace}/secrets/db$`) };
    const failure = stage().api.onRequest(removal, { kind: 'status', code: 500 }, 1);
    await tenant.apply(aMigration('move', { sourcePolicy: 'Delete' }));
    await failure.firstHit;
    await tenant.untilReady('move', { status: 'True', reason: 'Completed' });
    expect(await statesOf(tenant, 'move')).toEqual({ db: 'Removed' });
    expect(await sourceNames(tenant)).toEqual([]);
  });

  it('keeps its rows in reports when they are too large for a status, and they say Removed', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, `doc-${'x'.repeat(150)}`, 130);
    await tenant.apply(aMigration('many', { sourcePolicy: 'Delete' }));
    const done = await tenant.untilReady('many');
    expect(done.status).toMatchObject({ keysTruncated: true, progress: '260/260' });
    expect(done.status.keys).toBeUndefined();
    const rows = await tenant.rows('many');
    expect(rows).toHaveLength(260);
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['Removed']));
    expect(await sourceNames(tenant)).toEqual([]);
    expect(await wholeNames(tenant)).toEqual(names.toSorted());

    const before = stage().changesOf(tenant);
    expect(reasonOf(await requestRun(tenant, 'many'))).toBe('Completed');
    expect(stage().changesOf(tenant)).toEqual(before);
    expect(await tenant.rows('many')).toEqual(rows);
  });
}

describe('soakSeconds', () => {
  it('keeps the source for as long as it says, then removes it without being asked', async () => {
    const tenant = await withDocument('db');
    await tenant.apply(aMigration('soaking', { sourcePolicy: 'Delete', soakSeconds: 2 }));
    const soaking = await tenant.untilReady('soaking', { status: 'Unknown', reason: 'AwaitingSoak' });
    expect(soaking.status.summary).toMatchObject({ verified: 2, removed: 0 });
    expect(await sourceNames(tenant)).toEqual(['db']);

    await tenant.untilReady('soaking', { status: 'True', reason: 'Completed' });
    expect(await sourceNames(tenant)).toEqual([]);
    const { namespace } = tenant;
    const proof = stage().bao.requests.find(
      ({ path, query }) => dataPathOf(tenant, 'db').test(path) && query === 'version=1',
    );
    const removal = stage().api.requests.find(
      ({ method, path }) => method === 'DELETE' && path.endsWith(`/${namespace}/secrets/db`),
    );
    expect((removal?.arrivedAt ?? 0) - (proof?.arrivedAt ?? 0)).toBeGreaterThanOrEqual(2000);
  });

  it('is not cut short by a requested run', async () => {
    const tenant = await withDocument('db');
    await tenant.apply(aMigration('soaking', { sourcePolicy: 'Delete', soakSeconds: 3600 }));
    const first = await tenant.untilReady('soaking', { status: 'Unknown', reason: 'AwaitingSoak' });
    const again = await requestRun(tenant, 'soaking');
    expect(reasonOf(again)).toBe('AwaitingSoak');
    expect(again.status.keys).toEqual(first.status.keys);
    expect(await sourceNames(tenant)).toEqual(['db']);

    // Changing one's mind needs no new object.
    await tenant.mergePatch('SecretMigration', 'soaking', { spec: { soakSeconds: 0 } });
    await tenant.untilReady('soaking', { status: 'True', reason: 'Completed' });
    expect(await sourceNames(tenant)).toEqual([]);
  });

  it('ends in a conflict for what changed at either side meanwhile, and nothing of it is removed', async () => {
    const tenant = await stage().tenant();
    await plantMany(tenant, 'doc', 3);
    await tenant.apply(aMigration('soaking', { sourcePolicy: 'Delete', soakSeconds: 3600 }));
    await tenant.untilReady('soaking', { status: 'Unknown', reason: 'AwaitingSoak' });
    await tenant.apply(aSecret('doc-00', { ...fieldsOf('doc-00'), password: 'rotated here' }));
    await kvPut(tenant, `${tenant.namespace}/doc-01`, { ...fieldsOf('doc-01'), password: 'rotated there' });

    await tenant.mergePatch('SecretMigration', 'soaking', { spec: { soakSeconds: 0 } });
    await tenant.untilReady('soaking', { status: 'False', reason: 'ConflictsFound' });
    expect(await statesOf(tenant, 'soaking')).toEqual({
      'doc-00': 'Conflict DestinationDiffers',
      'doc-01': 'Conflict DestinationDiffers',
      'doc-02': 'Removed',
    });
    expect(await sourceNames(tenant)).toEqual(['doc-00', 'doc-01']);
    expect((await kvData(tenant, `${tenant.namespace}/doc-00`))['password']).toBe(
      fieldsOf('doc-00')['password'],
    );
    expect((await kvData(tenant, `${tenant.namespace}/doc-01`))['password']).toBe('rotated there');
  });
});

describe('the way back with sourcePolicy Delete', () => {
  it('hides the version at OpenBao and destroys nothing: it can be undeleted', async () => {
    const tenant = await stage().tenant();
    const path = `${tenant.namespace}/db`;
    await kvPut(tenant, path, { password: 'the one before' });
    await kvPut(tenant, path, fieldsOf('db'));
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', sourcePolicy: 'Delete' }));
    await tenant.untilReady('back');

    expect(await statesOf(tenant, 'back')).toEqual({ db: 'Removed' });
    expect((await kvMetadata(tenant, path))?.versions).toMatchObject({
      1: { deletion_time: '', destroyed: false },
      2: { deletion_time: expect.stringMatching(/^2/), destroyed: false },
    });
    expect(stage().changesOf(tenant)).toEqual([
      `POST /api/v1/namespaces/${tenant.namespace}/secrets`,
      `POST /v1/${tenant.mount}/delete/${path}`,
    ]);
    expect(reasonOf(await requestRun(tenant, 'back'))).toBe('Completed');

    await tenant.cluster.bao('POST', `${tenant.mount}/undelete/${path}`, { versions: [2] });
    expect(await kvData(tenant, path)).toEqual(fieldsOf('db'));
  });
});

describe('a destination that cannot be trusted', () => {
  it('because what was written may not be read back keeps the source: Copied, and a failure', async () => {
    const tenant = await withDocument('db');
    const readBack = { method: 'GET', path: dataPathOf(tenant, 'db'), query: /^version=/ };
    const denial = stage().bao.onRequest(readBack, {
      kind: 'status',
      code: 403,
      body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] },
    });
    await tenant.apply(aMigration('blind', { sourcePolicy: 'Delete' }));
    const blind = await tenant.untilReady('blind', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'blind')).toEqual({ db: 'Copied PermissionDenied' });
    expect(blind.status.summary).toMatchObject({ copied: 2, verified: 0, removed: 0 });
    expect(await sourceNames(tenant)).toEqual(['db']);

    denial.remove();
    expect(reasonOf(await requestRun(tenant, 'blind'))).toBe('Completed');
    expect(await statesOf(tenant, 'blind')).toEqual({ db: 'Removed' });
    expect(await wholeNames(tenant)).toEqual(['db']);
  });

  it('because its mount deletes versions by itself is refused before anything is written', async () => {
    const mount = await stage().cluster.createMount('kv');
    await stage().cluster.bao('POST', `${mount}/config`, { delete_version_after: '1h' });
    const tenant = await withDocument('db', await stage().tenant({ mount }));
    await tenant.apply(aMigration('move', { sourcePolicy: 'Delete' }));
    const refused = await tenant.untilReady('move', { status: 'False', reason: 'CapabilityMissing' });
    expect(refused.status.conditions?.[0]?.message).toContain('delete_version_after');
    expect(stage().changesOf(tenant)).toEqual([]);

    // A copy beside the source does no harm.
    await tenant.mergePatch('SecretMigration', 'move', { spec: { sourcePolicy: 'Keep' } });
    await tenant.untilReady('move', { status: 'True', reason: 'Completed' });
    expect(await sourceNames(tenant)).toEqual(['db']);
  });

  it('because its mount has been told so since the backend became Ready is refused as well', async () => {
    const tenant = await withDocument('db');
    await tenant.apply(aMigration('copy'));
    await tenant.untilReady('copy');
    await tenant.cluster.bao('POST', `${tenant.mount}/config`, { delete_version_after: '1h' });
    await tenant.apply(aMigration('move', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('move', { status: 'False', reason: 'CapabilityMissing' });
    expect(await sourceNames(tenant)).toEqual(['db']);
  });
});

describe('a wrong clock', () => {
  it('of a server keeps every source, the row names the server, and it goes on once the clock is right', async () => {
    const tenant = await withDocument('db');
    const wrong = stage().bao.onRequest({}, { kind: 'redate', byMs: -2 * HOUR_MS });
    await tenant.apply(aMigration('move', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('move', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'move')).toEqual({ db: 'Verified ClockSkew' });
    expect((await tenant.rows('move'))[0]?.message).toContain('of SecretBackend/bao differ.');
    expect(await sourceNames(tenant)).toEqual(['db']);

    wrong.remove();
    expect(reasonOf(await requestRun(tenant, 'move'))).toBe('Completed');
    expect(await sourceNames(tenant)).toEqual([]);
  });

  it('of the operator, two hours ahead, ends no soak and removes nothing', async () => {
    const tenant = await withDocument('db');
    await tenant.apply(aMigration('soaking', { sourcePolicy: 'Delete', soakSeconds: 3600 }));
    const first = await tenant.untilReady('soaking', { status: 'Unknown', reason: 'AwaitingSoak' });
    const ahead = `const now=Date.now;Date.now=()=>now()+${2 * HOUR_MS}`;
    await stage().restartOperator({
      NODE_OPTIONS: `--import=data:text/javascript,${ahead.replace(' ', '%20')}`,
    });

    const again = await requestRun(tenant, 'soaking');
    expect(again.status.keys).toEqual(first.status.keys);
    await tenant.mergePatch('SecretMigration', 'soaking', { spec: { soakSeconds: 0 } });
    await tenant.untilReady('soaking', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'soaking')).toEqual({ db: 'Verified ClockSkew' });
    expect((await tenant.rows('soaking'))[0]?.message).toContain('of the Kubernetes API server differ.');
    expect(await sourceNames(tenant)).toEqual(['db']);
  });
});
