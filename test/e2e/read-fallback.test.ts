import { describe, expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { kvPut, pathOf, requestRun, rowsByName, softDelete, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant, TenantOptions } from '#test/support/tenant.ts';

/*
 * ToolHive #4343: while names change, some values are still under their old one. What the original got wrong: hits were
 * not counted, the window had no end, and any failed read counted as "not there".
 */

const stage = useStage();
const HOUR_MS = 3_600_000;

function aWindow(tenant: Tenant, untilTime: string) {
  const migration = aMigration('window', { from: 'bao', to: 'kubernetes', select: { names: ['a', 'b'] } });
  const fallback = { prefix: `${tenant.namespace}/old_`, untilTime };
  return { ...migration, spec: { ...migration.spec, source: { ...migration.spec.source, fallback } } };
}

function inAnHour(): string {
  return new Date(Date.now() + HOUR_MS).toISOString();
}

async function aTenantBetweenNames(options: TenantOptions = {}): Promise<Tenant> {
  const tenant = await stage().tenant(options);
  await kvPut(tenant, pathOf(tenant, 'a'), { value: 'new a' });
  await kvPut(tenant, pathOf(tenant, 'old_a'), { value: 'old a' });
  await kvPut(tenant, pathOf(tenant, 'old_b'), { value: 'old b' });
  return tenant;
}

async function valueIn(tenant: Tenant, name: string): Promise<string | undefined> {
  const encoded = (await tenant.secret(name))?.data?.['value'];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString();
}

/** As above, and its backend may read everything but the documents of this name. */
async function aTenantWhoMayNotRead(name: string): Promise<Tenant> {
  const mount = await stage().cluster.createMount('kv');
  const allowed = `path "${mount}/*" { capabilities = ["read", "list"] }`;
  const denied = `path "${mount}/data/+/${name}" { capabilities = ["deny"] }`;
  return await aTenantBetweenNames({ mount, policy: `${allowed}\n${denied}` });
}

describe('source.fallback', () => {
  describeWindow();
  describeOldValues();
});

function describeWindow(): void {
  it('reads the old name only where the new one is absent, and counts it with its time', async () => {
    const tenant = await aTenantBetweenNames();
    await tenant.apply(aWindow(tenant, inAnHour()));
    const { status } = await tenant.untilReady('window');

    expect([await valueIn(tenant, 'a'), await valueIn(tenant, 'b')]).toEqual(['new a', 'old b']);
    expect(status.fallback).toMatchObject({ state: 'Active', hits: 1 });
    expect(Date.parse(status.fallback?.lastHitTime ?? '')).toBeGreaterThan(Date.now() - HOUR_MS);
    const gauge = `secretmigration_fallback_hits{namespace="${tenant.namespace}",name="window"} 1`;
    await eventually('the cache of the operator shows it', async () =>
      (await stage().operator.metrics()).split('\n').includes(gauge),
    );
    const rows = await rowsByName(tenant, 'window');
    expect(rows['b']?.source).toMatchObject({ path: `${tenant.namespace}/old_b`, version: '1' });
    expect(rows['a']?.source).toEqual({ version: '1', identity: expect.any(String) });
  });

  it('finds names that only the old addresses have: what can be read is what is listed', async () => {
    const tenant = await aTenantBetweenNames();
    const select = { all: true as const };
    const migration = aWindow(tenant, inAnHour());
    const mapping = { path: '{namespace}/new_{name}' };
    await kvPut(tenant, pathOf(tenant, 'new_c'), { value: 'new c' });
    await tenant.apply({ ...migration, spec: { ...migration.spec, select, mapping } });
    const { status } = await tenant.untilReady('window');

    expect(await statesOf(tenant, 'window')).toEqual({ a: 'Verified', b: 'Verified', c: 'Verified' });
    expect(await Promise.all(['a', 'b', 'c'].map(async (name) => valueIn(tenant, name)))).toEqual([
      'old a',
      'old b',
      'new c',
    ]);
    expect(status.fallback).toMatchObject({ hits: 2 });
  });

  it('ends by itself when its time comes, and a migration that is done says so', async () => {
    const tenant = await aTenantBetweenNames();
    const soon = new Date(Date.now() + 10_000).toISOString();
    await tenant.apply(aWindow(tenant, soon));
    const { status } = await tenant.untilReady('window');
    expect(status.fallback).toMatchObject({ state: 'Active', hits: 1 });
    const ended = await eventually('the window has ended', async () => {
      const current = (await tenant.migration('window')).status;
      return current.fallback?.state === 'Ended' && current;
    });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(soon));
    expect(ended.conditions).toEqual(status.conditions);
    expect(ended.keys).toEqual(status.keys);
  });

  it('is off after its time and says so', async () => {
    const tenant = await aTenantBetweenNames();
    await tenant.apply(aWindow(tenant, new Date(Date.now() - HOUR_MS).toISOString()));
    const { status } = await tenant.untilReady('window', { status: 'False' });

    expect(status.fallback).toEqual({ state: 'Ended', hits: 0 });
    expect(await statesOf(tenant, 'window')).toEqual({ a: 'Verified', b: 'Failed SourceMissing' });
    expect((await rowsByName(tenant, 'window'))['b']?.message).toMatch(/spec.source.fallback ended at/);
    expect(await valueIn(tenant, 'b')).toBeUndefined();
  });
}

function describeOldValues(): void {
  it('does not take a deleted value for an absent one', async () => {
    const tenant = await aTenantBetweenNames();
    await kvPut(tenant, pathOf(tenant, 'b'), { value: 'new b' });
    await softDelete(tenant, 'b');
    await tenant.apply(aWindow(tenant, inAnHour()));
    await tenant.untilReady('window');

    expect(await statesOf(tenant, 'window')).toEqual({ a: 'Verified', b: 'Skipped SourceDeleted' });
    expect(await valueIn(tenant, 'b')).toBeUndefined();
  });

  it('does not bring back the old value of what was removed while the window is open', async () => {
    const tenant = await aTenantBetweenNames();
    await tenant.apply(aWindow(tenant, inAnHour()));
    await tenant.untilReady('window');
    await tenant.cluster.bao('DELETE', `${tenant.mount}/metadata/${pathOf(tenant, 'a')}`);
    await tenant.delete('Secret', 'a');
    // Not in the run that finds it missing, and not in those that only know that it was missing.
    for (const hits of [2, 3]) {
      const { status } = await requestRun(tenant, 'window');
      expect(await valueIn(tenant, 'a')).toBeUndefined();
      expect((await statesOf(tenant, 'window'))['a']).toBe('Failed SourceMissing');
      expect(status.fallback?.hits).toBe(hits); // One more for b, none for a.
    }
  });

  it('surfaces any other error and reads nothing elsewhere', async () => {
    const tenant = await aTenantWhoMayNotRead('b');
    const before = stage().bao.history.requests.length;
    await tenant.apply(aWindow(tenant, inAnHour()));
    await tenant.untilReady('window', { status: 'False' });

    const asked = stage()
      .bao.history.requests.slice(before)
      .filter(({ path }) => path.endsWith(pathOf(tenant, 'old_b')));
    expect(asked).toEqual([]);
    expect((await statesOf(tenant, 'window'))['b']).toBe('Failed PermissionDenied');
    expect(await valueIn(tenant, 'b')).toBeUndefined();
  });

  it('surfaces an error of the old name as well: it is not missing, nobody knows', async () => {
    const tenant = await aTenantWhoMayNotRead('old_b');
    await tenant.apply(aWindow(tenant, inAnHour()));
    const { status } = await tenant.untilReady('window', { status: 'False' });

    expect(await statesOf(tenant, 'window')).toEqual({ a: 'Verified', b: 'Failed PermissionDenied' });
    expect(status.fallback).toEqual({ state: 'Active', hits: 0 });
  });
}
