import { describe, expect, it } from 'vitest';
import { EXPIRY_TOLERANCE_MS } from '#src/core/document.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { Gate } from '#test/support/gate.ts';
import { kvData, kvMetadata, kvPut, pathOf, requestRun, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';

/*
 * ToolHive #4198 (reference peers.md §1.3): session tokens with a time to live get new names. What the original got wrong
 * has a test that fails on its behavior: a token that expired while it was moved came back without any expiry.
 */

const stage = useStage();

const MAPPING = {
  path: '{namespace}/{name}',
  patterns: [{ from: 'session:{id}', to: 'session:{id}:okta' }],
};

function aReKeying(name: string, change: Parameters<typeof aMigration>[1] = {}) {
  const spec = { from: 'bao', to: 'bao', select: { all: true as const }, mapping: MAPPING };
  return aMigration(name, { ...spec, sourcePolicy: 'Delete', ...change });
}

async function setKey(tenant: Tenant, name: string, metadata: Record<string, unknown>): Promise<void> {
  await tenant.cluster.bao('POST', `${tenant.mount}/metadata/${pathOf(tenant, name)}`, metadata);
}

async function aToken(tenant: Tenant, name: string, lifetime: string): Promise<string> {
  await setKey(tenant, name, { delete_version_after: lifetime, custom_metadata: { user: 'ann' } });
  await kvPut(tenant, pathOf(tenant, name), { token: `of ${name}` });
  return await endOf(tenant, name);
}

/** When the current version ends, as the server says; '' when it stays. */
async function endOf(tenant: Tenant, name: string): Promise<string> {
  const metadata = await kvMetadata(tenant, pathOf(tenant, name));
  return metadata?.versions[String(metadata.current_version)]?.deletion_time ?? 'absent';
}

function expectSameEnd(copy: string, original: string): void {
  expect(Math.abs(Date.parse(copy) - Date.parse(original))).toBeLessThanOrEqual(EXPIRY_TOLERANCE_MS);
}

/** And until the server shows it, which tells its time in whole seconds. */
async function untilExpired(tenant: Tenant, name: string): Promise<void> {
  const end = Date.parse(await endOf(tenant, name));
  await eventually(`${name} has expired`, () => Date.now() > end + 1_000);
}

describe('moving what expires inside one store', () => {
  describeMoving();
  describeExpired();
});

function describeMoving(): void {
  it('carries over the life that is left, the life of later versions and the custom metadata', async () => {
    const tenant = await stage().tenant();
    const end = await aToken(tenant, 'session:1', '1h');
    await kvPut(tenant, pathOf(tenant, 'session:2'), { token: 'stays' });
    await tenant.apply(aReKeying('rekey'));
    await tenant.untilReady('rekey');
    expect(await statesOf(tenant, 'rekey')).toEqual({ 'session:1': 'Removed', 'session:2': 'Removed' });

    expectSameEnd(await endOf(tenant, 'session:1:okta'), end);
    expect(await endOf(tenant, 'session:2:okta')).toBe('');
    expect(await kvMetadata(tenant, pathOf(tenant, 'session:1:okta'))).toMatchObject({
      current_version: 1,
      custom_metadata: { user: 'ann' },
      delete_version_after: '1h0m0s',
    });
  });

  it('does so on a mount that gives every version a life', async () => {
    const mount = await stage().cluster.createMount('kv');
    await stage().cluster.bao('POST', `${mount}/config`, { delete_version_after: '2h' });
    const tenant = await stage().tenant({ mount });
    await kvPut(tenant, pathOf(tenant, 'session:1'), { token: 't' });
    const end = await endOf(tenant, 'session:1');
    await tenant.apply(aReKeying('rekey'));
    await tenant.untilReady('rekey');
    expect(await statesOf(tenant, 'rekey')).toEqual({ 'session:1': 'Removed' });
    expectSameEnd(await endOf(tenant, 'session:1:okta'), end);
  });

  it('keeps a source that stays where its copy would expire, and says why', async () => {
    const tenant = await stage().tenant();
    await kvPut(tenant, pathOf(tenant, 'session:1'), { token: 't' });
    await tenant.cluster.bao('POST', `${tenant.mount}/config`, { delete_version_after: '2h' });
    await tenant.apply(aReKeying('rekey', { conflictPolicy: 'Overwrite' }));
    await tenant.untilReady('rekey', { status: 'False' });
    expect(await statesOf(tenant, 'rekey')).toEqual({ 'session:1': 'Conflict ExpiresEarly' });
    await requestRun(tenant, 'rekey');
    expect((await kvMetadata(tenant, pathOf(tenant, 'session:1:okta')))?.current_version).toBe(1);
    expect(await kvData(tenant, pathOf(tenant, 'session:1'))).toEqual({ token: 't' });
  });
}

function describeExpired(): void {
  it('does not bring back what expired before, and moves the others', async () => {
    const tenant = await stage().tenant();
    await aToken(tenant, 'session:old', '1s');
    await aToken(tenant, 'session:new', '1h');
    await untilExpired(tenant, 'session:old');
    await tenant.apply(aReKeying('rekey'));
    await tenant.untilReady('rekey');
    expect(await statesOf(tenant, 'rekey')).toEqual({
      'session:old': 'Skipped Expired',
      'session:new': 'Removed',
    });
    expect(await kvMetadata(tenant, pathOf(tenant, 'session:old:okta'))).toBeUndefined();
  });

  it('does not bring back what expires between its reading and its writing', async () => {
    const tenant = await stage().tenant();
    const name = 'session:1';
    const target = pathOf(tenant, 'session:1:okta');
    await aToken(tenant, name, '3s');
    using gate = new Gate(stage().bao, { method: 'GET', path: /\/metadata\/.*okta$/ });
    await tenant.apply(aReKeying('rekey'));
    await gate.arrival;
    await untilExpired(tenant, name);
    gate.open();
    await tenant.untilReady('rekey');
    expect(await statesOf(tenant, 'rekey')).toEqual({ [name]: 'Skipped Expired' });
    expect((await kvMetadata(tenant, target))?.current_version ?? 0).toBe(0);
  });

  it('calls expired, not lost, what came to its end at both sides after it was moved', async () => {
    const tenant = await stage().tenant();
    await aToken(tenant, 'session:1', '5s');
    await tenant.apply(aReKeying('rekey', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('rekey');
    expect(await statesOf(tenant, 'rekey')).toEqual({ 'session:1': 'Removed' });
    await untilExpired(tenant, 'session:1:okta');
    await eventually('the copy has expired', async () => {
      await requestRun(tenant, 'rekey');
      return (await statesOf(tenant, 'rekey'))['session:1'] === 'Removed Expired';
    });
  });

  it('does not adopt an equal document that stays, unless it may overwrite it', async () => {
    const tenant = await stage().tenant();
    const end = await aToken(tenant, 'session:1', '1h');
    await kvPut(tenant, pathOf(tenant, 'session:1:okta'), { token: 'of session:1' });
    await tenant.apply(aReKeying('rekey', { sourcePolicy: 'Keep' }));
    await tenant.untilReady('rekey', { status: 'False' });
    expect(await statesOf(tenant, 'rekey')).toEqual({
      'session:1': 'Conflict OutlivesSource',
      'session:1:okta': 'Skipped AlreadyRenamed',
    });
    await tenant.mergePatch('SecretMigration', 'rekey', { spec: { conflictPolicy: 'Overwrite' } });
    await tenant.untilReady('rekey');
    expectSameEnd(await endOf(tenant, 'session:1:okta'), end);
  });

  it('finishes what a killed attempt left: the key gets its own life back, without another version', async () => {
    const tenant = await stage().tenant();
    const end = await aToken(tenant, 'session:1', '1h');
    const left = Math.floor((Date.parse(end) - Date.now()) / 1_000);
    await setKey(tenant, 'session:1:okta', {
      delete_version_after: `${left}s`,
      custom_metadata: { user: 'ann', 'keyferry-lifetime': '3600' },
    });
    await kvPut(tenant, pathOf(tenant, 'session:1:okta'), { token: 'of session:1' });
    await tenant.apply(aReKeying('rekey'));
    await tenant.untilReady('rekey');
    expect(await kvMetadata(tenant, pathOf(tenant, 'session:1:okta'))).toMatchObject({
      current_version: 1,
      custom_metadata: { user: 'ann' },
      delete_version_after: '1h0m0s',
    });
  });
}

describe('what a killed attempt left under the value of another client', () => {
  it('is undone by the next run, which shows the conflict and changes nothing else', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', { password: Buffer.from([255, 0]) }, { type: 'a/b' }));
    await setKey(tenant, 'db', {
      delete_version_after: '600s',
      custom_metadata: {
        theirs: 'x',
        'keyferry-pending': 'version 1 by 00c0ffee, lifetime 600 instead of 0',
        'keyferry-lifetime': '3600',
        'keyferry-base64': 'password@1',
        'keyferry-type': 'a/b@1',
      },
    });
    // Valid base64, as a password can be.
    await kvPut(tenant, pathOf(tenant, 'db'), { password: 'password' });
    await tenant.apply(aMigration('out'));
    await tenant.untilReady('out', { status: 'False' });
    expect(await statesOf(tenant, 'out')).toEqual({ db: 'Conflict DestinationDiffers' });
    expect(await kvMetadata(tenant, pathOf(tenant, 'db'))).toMatchObject({
      current_version: 1,
      custom_metadata: { theirs: 'x' },
      delete_version_after: '0s',
      versions: { 1: { deletion_time: '' } },
    });
    expect(await kvData(tenant, pathOf(tenant, 'db'))).toEqual({ password: 'password' });
  });
});

describe('between Kubernetes and OpenBao', () => {
  it('a binary key that is replaced by hand with text that looks like base64 comes back as that text', async () => {
    const here = await stage().tenant();
    await here.apply(aSecret('db', { password: Buffer.from([255, 0]) }));
    await here.apply(aMigration('out'));
    await here.untilReady('out');
    await kvPut(here, pathOf(here, 'db'), { password: 'password' });

    const there = await stage().tenant({ mount: here.mount });
    const back = { path: `${here.namespace}/{name}` };
    const select = { all: true as const };
    await there.apply(aMigration('back', { from: 'bao', to: 'kubernetes', select, mapping: back }));
    await there.untilReady('back');
    const data = (await there.secret('db'))?.data;
    expect(Buffer.from(data?.['password'] ?? '', 'base64').toString()).toBe('password');
  });

  const labels = { 'example.org/owner': 'payments', tier: 'gold', internal: 'x' };
  const mapping = { path: '{namespace}/{name}', labels: ['example.org/owner', 'tier', 'absent'] };

  it('the labels that are named travel as custom metadata, there and back', async () => {
    const here = await stage().tenant();
    await here.apply(aSecret('db', { password: 'p' }, { labels }));
    await here.apply(aMigration('out', { mapping }));
    await here.untilReady('out');
    expect(await kvMetadata(here, pathOf(here, 'db'))).toMatchObject({
      current_version: 1,
      custom_metadata: { 'example.org/owner': 'payments', tier: 'gold' },
    });

    const there = await stage().tenant({ mount: here.mount });
    const back = { path: `${here.namespace}/{name}`, labels: mapping.labels };
    await there.apply(
      aMigration('back', { from: 'bao', to: 'kubernetes', select: { all: true }, mapping: back }),
    );
    await there.untilReady('back');
    expect((await there.secret('db'))?.metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'keyferry',
      'example.org/owner': 'payments',
      tier: 'gold',
    });
  });

  it('labels that are not named stay behind and cost nothing', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', { password: 'p' }, { labels }));
    await tenant.apply(aMigration('out'));
    await tenant.untilReady('out');
    expect(await kvMetadata(tenant, pathOf(tenant, 'db'))).toMatchObject({ custom_metadata: null });
  });

  it('a source with a label that an equal destination lacks stays', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', { password: 'p' }, { labels }));
    await kvPut(tenant, pathOf(tenant, 'db'), { password: 'p' });
    await tenant.apply(aMigration('move', { mapping, sourcePolicy: 'Delete' }));
    await tenant.untilReady('move', { status: 'False' });
    expect(await statesOf(tenant, 'move')).toEqual({ db: 'Conflict AttributesDiffer' });
    await tenant.mergePatch('SecretMigration', 'move', { spec: { sourcePolicy: 'Keep' } });
    await tenant.untilReady('move');
    expect(await statesOf(tenant, 'move')).toEqual({ db: 'Verified' });
  });

  it('what expires is refused: a Secret would keep it forever', async () => {
    const tenant = await stage().tenant();
    await aToken(tenant, 'token', '1h');
    const select = { all: true as const };
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', select }));
    await tenant.untilReady('back', { status: 'False' });
    expect(await statesOf(tenant, 'back')).toEqual({ token: 'Failed ExpiryRefused' });
    expect(await tenant.secret('token')).toBeUndefined();
  });
});

describe('labels and annotations of a source that goes', () => {
  const labels = { 'example.org/owner': 'payments', tier: 'gold', internal: 'x' };

  it('go along to OpenBao, and come back with it', async () => {
    const tenant = await stage().tenant();
    const annotations = { 'example.org/Rotated-By': 'a\nb', empty: '', json: `{"a":"${'ä'.repeat(600)}"}` };
    await tenant.apply(aSecret('db', { password: 'p' }, { labels, annotations }));
    await tenant.apply(aSecret('plain', { password: 'p' }));
    await tenant.apply(aMigration('out', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('out');
    expect(await tenant.secret('db')).toBeUndefined();
    expect(await kvMetadata(tenant, pathOf(tenant, 'plain'))).toMatchObject({ custom_metadata: null });
    const copying = stage().bao.requests.filter(({ path }) => path.endsWith(`/${pathOf(tenant, 'plain')}`));
    // Write and read back; the third is the second proof.
    expect(copying.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET']);

    const select = { all: true as const };
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', select, sourcePolicy: 'Delete' }));
    await tenant.untilReady('back');
    const restored = (await tenant.secret('db'))?.metadata;
    expect(restored?.labels).toEqual({ 'app.kubernetes.io/managed-by': 'keyferry', ...labels });
    expect(restored?.annotations).toEqual(annotations);
  });

  it('what the destination cannot hold keeps its source until its loss is allowed', async () => {
    const tenant = await stage().tenant();
    const annotations = { huge: 'x'.repeat(40_000), note: 'n' };
    await tenant.apply(aSecret('db', { password: 'p' }, { annotations }));
    await tenant.apply(aMigration('out', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('out', { status: 'False' });
    expect(await statesOf(tenant, 'out')).toEqual({ db: 'Failed MetadataRefused' });
    const [refused] = await tenant.rows('out');
    expect(refused?.message).toContain('annotation huge');

    const allowed = { path: '{namespace}/{name}', metadataLoss: 'Allow' as const };
    await tenant.mergePatch('SecretMigration', 'out', { spec: { mapping: allowed } });
    await tenant.untilReady('out');
    expect(await statesOf(tenant, 'out')).toEqual({ db: 'Removed MetadataLost' });
    expect(await kvMetadata(tenant, pathOf(tenant, 'db'))).toMatchObject({
      custom_metadata: { 'keyferry-secret-1': '{"annotations":{"note":"n"}}' },
    });
  });
});
