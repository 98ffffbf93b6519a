import { describe, expect, it } from 'vitest';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { createAuthority } from '#test/cluster/pki.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvData, kvPut, rowsByName, statesOf, versionOf } from '#test/support/queries.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

/* Mode Sync, while what it depends on changes: credentials, a certificate, an API server that does not store its rows. */

const stage = useStage();
const SYNC = { mode: 'Sync', sync: { intervalSeconds: 5 } } as const;
const SYNCED = { status: 'True', reason: 'Synced' } as const;
/** Far below the minute between two probes: what arrives did not wait for one. */
const SOON = { deadlineMs: 20_000 };

async function untilInKv(tenant: Tenant, name: string, value: string): Promise<void> {
  await eventually(
    `${name} has the new value in KV`,
    async () => (await kvData(tenant, `${tenant.namespace}/${name}`))['k'] === value,
    SOON,
  );
}

async function untilInSecret(tenant: Tenant, name: string, value: string): Promise<void> {
  await eventually(
    `the Secret ${name} has the new value`,
    async () => Buffer.from((await tenant.secret(name))?.data?.['k'] ?? '', 'base64').toString() === value,
    SOON,
  );
}

/** A backend whose token and CA are in Secrets, and two idle migrations: `out` follows a watch, `in` polls. */
async function bothWays(proxy: RecordingProxy): Promise<Tenant> {
  const tenant = await stage().tenant({ address: proxy.url });
  const { cluster, mount } = tenant;
  await tenant.apply(aSecret('bao-ca', { 'ca.crt': cluster.baoCaPem }));
  const backend = anOpenBaoBackend({ name: 'rotated', address: proxy.url, mount, caBundle: '' });
  const { caBundle: _inline, ...openbao } = backend.spec.openbao;
  const spec = { type: 'openbao', openbao: { ...openbao, caSecretRef: { name: 'bao-ca' } } };
  await tenant.apply({ ...backend, spec });
  await tenant.apply(aSecret('goes', { k: '1' }));
  await tenant.apply(aMigration('out', { ...SYNC, to: 'rotated', select: { names: ['goes'] } }));
  await kvPut(tenant, `${tenant.namespace}/comes`, { k: '1' });
  const selected = { select: { names: ['comes'] } };
  await tenant.apply(aMigration('in', { ...SYNC, from: 'rotated', to: 'kubernetes', ...selected }));
  for (const name of ['out', 'in']) await tenant.untilReady(name, SYNCED);
  return tenant;
}

async function expectInStep(tenant: Tenant): Promise<void> {
  await tenant.apply(aSecret('goes', { k: '2' }));
  await kvPut(tenant, `${tenant.namespace}/comes`, { k: '2' });
  await untilInKv(tenant, 'goes', '2');
  await untilInSecret(tenant, 'comes', '2');
  for (const name of ['out', 'in']) await tenant.untilReady(name, SYNCED);
}

describe('what idle migrations depend on, rotated in its Secret,', () => {
  it('is used for the next request: a token', async () => {
    await using proxy = await startProxy(stage().cluster, 'bao');
    const tenant = await bothWays(proxy);
    const { cluster, mount } = tenant;
    const before = Buffer.from((await tenant.secret('bao-token'))?.data?.['token'] ?? '', 'base64');
    const token = await cluster.createToken(documentedPolicy(mount));
    await tenant.apply(aSecret('bao-token', { token }));
    await cluster.bao('POST', 'auth/token/revoke', { token: before.toString() });
    await expectInStep(tenant);
  });

  it('is used for the next request: a CA', async () => {
    await using proxy = await startProxy(stage().cluster, 'bao');
    const tenant = await bothWays(proxy);
    const authority = await createAuthority('the next one');
    await tenant.apply(aSecret('bao-ca', { 'ca.crt': authority.certificate }));
    await proxy.certifyBy(authority);
    await expectInStep(tenant);
  });
});

describe('rows that the API server does not store yet', () => {
  const writesOf = ({ namespace }: Tenant) => ({
    method: 'PATCH',
    path: new RegExp(`/${namespace}/secretmigrations/sync/status$`),
  });

  async function fromSecrets(): Promise<Tenant> {
    const tenant = await stage().tenant();
    for (const name of ['a', 'b']) await tenant.apply(aSecret(name, { k: '1' }));
    await tenant.apply(aMigration('sync', SYNC));
    await tenant.untilReady('sync', SYNCED);
    return tenant;
  }

  it('delay no change of another document', async () => {
    const tenant = await fromSecrets();
    const { promise: until, resolve: release } = Promise.withResolvers<void>();
    const held = stage().api.onRequest(writesOf(tenant), { kind: 'hold', until });
    await tenant.apply(aSecret('a', { k: '2' }));
    await held.firstHit;
    await tenant.apply(aSecret('b', { k: '2' }));
    await untilInKv(tenant, 'b', '2');
    await tenant.apply(aSecret('a', { k: '3' }));
    await untilInKv(tenant, 'a', '3');
    held.remove();
    release();
    await eventually('the rows say so', async () => {
      const rows = await rowsByName(tenant, 'sync');
      return rows['a']?.destination?.version === '3' && rows['b']?.destination?.version === '2';
    });
  });

  it('make no conflict of the next change, once it stores them again', async () => {
    stage().allowErrors(/"op":"kube.status"|secretmigration/);
    const tenant = await fromSecrets();
    const failing = stage().api.onRequest(writesOf(tenant), { kind: 'drop-before' });
    await tenant.apply(aSecret('a', { k: '2' }));
    await untilInKv(tenant, 'a', '2');
    await eventually('a write of the status failed', () => failing.hits > 1);
    await tenant.apply(aSecret('a', { k: '3' }));
    failing.remove();
    await untilInKv(tenant, 'a', '3');
    await eventually(
      'the rows say so',
      async () => (await rowsByName(tenant, 'sync'))['a']?.destination?.version === '3',
    );
    expect(await statesOf(tenant, 'sync')).toEqual({ a: 'Verified FollowedSource', b: 'Verified' });
    expect(await versionOf(tenant, 'a')).toBe(3);
  });
});
