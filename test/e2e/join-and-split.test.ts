import { expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import {
  kvData,
  kvMetadata,
  kvNames,
  kvPut,
  requestRun,
  rowsByName,
  statesOf,
} from '#test/support/queries.ts';
import { eventually } from '#test/support/eventually.ts';
import { useStage } from '#test/support/stage.ts';

const stage = useStage();

const text = (data: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  );

it('makes one Secret of the documents in a folder, and follows a change of one of them', async () => {
  const tenant = await stage().tenant();
  await kvPut(tenant, 'apps/shop/db', { user: 'u', password: 'p' });
  await kvPut(tenant, 'apps/shop/api', { token: 't' });
  await kvPut(tenant, 'apps/twice/a', { token: '1' });
  await kvPut(tenant, 'apps/twice/b', { token: '2' });
  const mapping = { path: 'apps/{name}', join: { key: '{key}' } };
  await tenant.apply(aMigration('in', { from: 'bao', to: 'kubernetes', select: { all: true }, mapping }));
  await tenant.untilReady('in', { status: 'False', reason: 'PartiallyFailed' });
  expect(await statesOf(tenant, 'in')).toEqual({ shop: 'Verified', twice: 'Failed MappingCollision' });
  expect((await rowsByName(tenant, 'in'))['twice']?.message).toContain('"token" of parts "a" and "b"');
  const made = await tenant.secret('shop');
  expect(text(made?.data)).toEqual({ user: 'u', password: 'p', token: 't' });
  expect(await tenant.secret('twice')).toBeUndefined();

  await kvPut(tenant, 'apps/twice/b', { other: '2' });
  await requestRun(tenant, 'in');
  await tenant.untilReady('in');
  expect(text((await tenant.secret('twice'))?.data)).toEqual({ token: '1', other: '2' });
  expect((await tenant.secret('shop'))?.metadata.resourceVersion).toBe(made?.metadata.resourceVersion);
});

it('makes one document of each key of a Secret, and none of the token of a backend', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('shop', { 'tls.crt': 'c', 'tls.key': 'k' }, { type: 'kubernetes.io/tls' }));
  await tenant.apply(aSecret('api', { token: Uint8Array.from([0, 255, 128]) }));
  const mapping = { path: 'apps/{name}', split: {} };
  await tenant.apply(aMigration('out', { select: { all: true }, mapping }));
  await tenant.untilReady('out');
  expect(await statesOf(tenant, 'out')).toEqual({
    'api/token': 'Verified',
    'bao-token/token': 'Skipped TrustRoot',
    'shop/tls.crt': 'Verified',
    'shop/tls.key': 'Verified',
  });
  expect(await kvNames(tenant, 'apps')).toEqual(['api/', 'shop/']);
  expect(await kvData(tenant, 'apps/shop/tls.key')).toEqual({ value: 'k' });
  await requestRun(tenant, 'out');
  expect((await kvMetadata(tenant, 'apps/shop/tls.key'))?.current_version).toBe(1);

  const there = await stage().tenant({ mount: tenant.mount });
  const back = { path: 'apps/{name}', join: { key: '{name}' } };
  await there.apply(
    aMigration('back', { from: 'bao', to: 'kubernetes', select: { all: true }, mapping: back }),
  );
  await there.untilReady('back');
  expect(text((await there.secret('shop'))?.data)).toEqual({ 'tls.crt': 'c', 'tls.key': 'k' });
  expect((await there.secret('api'))?.data).toEqual({ token: 'AP+A' });
});

const SYNC = { mode: 'Sync', sync: { intervalSeconds: 5 }, select: { all: true } } as const;

it('keeps a Secret in step with the documents in a folder, and leaves it whole while one of them is gone', async () => {
  const tenant = await stage().tenant();
  await kvPut(tenant, 'apps/shop/db', { password: 'p' });
  await kvPut(tenant, 'apps/shop/api', { token: 't' });
  const mapping = { path: 'apps/{name}', join: {} };
  await tenant.apply(aMigration('sync', { from: 'bao', to: 'kubernetes', ...SYNC, mapping }));
  await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  await kvPut(tenant, 'apps/shop/api', { token: 't2' });
  await eventually('the change is in the Secret', async () => {
    const data = text((await tenant.secret('shop'))?.data);
    return data['api.token'] === 't2' && data['db.password'] === 'p';
  });
  await tenant.cluster.bao('DELETE', `${tenant.mount}/data/apps/shop/db`);
  await requestRun(tenant, 'sync');
  await tenant.untilReady('sync', { status: 'False', reason: 'PartiallyFailed' });
  expect(await statesOf(tenant, 'sync')).toEqual({ shop: 'Failed PartsRefused' });
  expect(text((await tenant.secret('shop'))?.data)).toEqual({ 'api.token': 't2', 'db.password': 'p' });
});

it('keeps documents in step with the keys of a Secret', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('shop', { user: 'u', password: 'p' }));
  const mapping = { path: 'apps/{name}', split: {} };
  await tenant.apply(aMigration('sync', { ...SYNC, select: { prefix: 'shop/' }, mapping }));
  await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  await tenant.apply(aSecret('shop', { user: 'u', password: 'p2', more: 'm' }));
  await eventually('both changes are in the documents', async () => {
    const names = await kvNames(tenant, 'apps/shop');
    if (!names.includes('more')) return false;
    return (await kvData(tenant, 'apps/shop/password'))['value'] === 'p2';
  });
  expect((await kvMetadata(tenant, 'apps/shop/user'))?.current_version).toBe(1);
  expect(await kvData(tenant, 'apps/shop/more')).toEqual({ value: 'm' });
});
