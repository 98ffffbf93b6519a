import { describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import {
  eventOf,
  kvData,
  kvPut,
  requestRun,
  rowsByName,
  statesOf,
  versionOf,
} from '#test/support/queries.ts';
import { useStage, type Stage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

/* Mode Sync with real servers: who follows whom, and how quietly. */

const stage = useStage();

const SYNC = { mode: 'Sync', sync: { intervalSeconds: 5 } } as const;

async function untilInKv(
  tenant: Tenant,
  name: string,
  data: Readonly<Record<string, string>>,
): Promise<void> {
  await eventually(`${name} has the new value in KV`, async () => {
    const found = await kvData(tenant, `${tenant.namespace}/${name}`).catch(() => undefined);
    return JSON.stringify(found) === JSON.stringify(data);
  });
}

async function untilInSecret(tenant: Tenant, name: string, value: string): Promise<void> {
  await eventually(`the Secret ${name} has the new value`, async () => {
    const secret = await tenant.secret(name);
    return Buffer.from(secret?.data?.['k'] ?? '', 'base64').toString() === value;
  });
}

async function fromSecrets(more: object = {}): Promise<Tenant> {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('a', { k: '1' }));
  await tenant.apply(aSecret('b', { k: '1' }));
  await tenant.apply(aMigration('sync', { ...SYNC, ...more }));
  await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  return tenant;
}

async function fromPaths(more: object = {}): Promise<Tenant> {
  const tenant = await stage().tenant();
  await kvPut(tenant, `${tenant.namespace}/a`, { k: '1' });
  const select = { all: true as const };
  await tenant.apply(aMigration('sync', { from: 'bao', to: 'kubernetes', select, ...SYNC, ...more }));
  await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  return tenant;
}

describe('Secrets that OpenBao follows', () => {
  it('carries each change over in one version, and lets new Secrets join', async () => {
    const tenant = await fromSecrets();
    await tenant.apply(aSecret('a', { k: '2' }));
    await untilInKv(tenant, 'a', { k: '2' });
    await tenant.apply(aSecret('c', { k: '1' }));
    await untilInKv(tenant, 'c', { k: '1' });
    expect([await versionOf(tenant, 'a'), await versionOf(tenant, 'b')]).toEqual([2, 1]);
    await eventually('the rows say so', async () => {
      const rows = await rowsByName(tenant, 'sync');
      return rows['a']?.reason === 'FollowedSource' && rows['c']?.state === 'Verified';
    });
    expect((await tenant.migration('sync')).status.lastSyncTime).toBeDefined();
  });

  it('sends nothing to the API server while nothing changes, and only lists versions in OpenBao', async () => {
    const tenant = await fromSecrets();
    await eventOf(tenant, 'Synced');
    const ofTenant = new RegExp(`${tenant.namespace}|${tenant.mount}`);
    const [atApi, atBao] = [stage().api.requests.length, stage().bao.requests.length];
    const seen = (from: number, { requests }: Pick<Stage['api'], 'requests'>): readonly string[] =>
      requests.slice(from).flatMap(({ method, path }) => (ofTenant.test(path) ? [`${method} ${path}`] : []));
    await eventually('two polls', () => Promise.resolve(seen(atBao, stage().bao).length >= 4));
    expect(seen(atApi, stage().api)).toEqual([]);
    expect(seen(atBao, stage().bao).filter((line) => !line.includes('metadata/'))).toEqual([]);
  });

  it('gives each document its new form when the mapping changes', async () => {
    const tenant = await fromSecrets();
    const mapping = { keys: [{ from: 'k', to: 'K' }] };
    await tenant.mergePatch('SecretMigration', 'sync', { spec: { mapping } });
    await untilInKv(tenant, 'a', { K: '1' });
    await untilInKv(tenant, 'b', { K: '1' });
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  });

  it('leaves what is deleted alone at the other side', async () => {
    const tenant = await fromSecrets();
    await tenant.delete('Secret', 'a');
    await eventually(
      'the row says so',
      async () => (await statesOf(tenant, 'sync'))['a'] === 'Skipped SourceGone',
    );
    expect(await kvData(tenant, `${tenant.namespace}/a`)).toEqual({ k: '1' });
  });

  it('shows an edit in OpenBao as a conflict until both are equal', async () => {
    const tenant = await fromSecrets();
    await kvPut(tenant, `${tenant.namespace}/a`, { k: 'mine' });
    const migration = await tenant.untilReady('sync', { status: 'False', reason: 'ConflictsFound' });
    expect(await statesOf(tenant, 'sync')).toEqual({ a: 'Conflict DestinationEdited', b: 'Verified' });
    expect(migration.status.conditions?.find(({ type }) => type === 'Ready')?.message).toContain('"a"');
    await tenant.apply(aSecret('a', { k: 'mine' }));
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
    expect(await versionOf(tenant, 'a')).toBe(2);
  });

  it('gives the value of the winner to the other side when the annotation names both versions', async () => {
    const tenant = await fromSecrets();
    await kvPut(tenant, `${tenant.namespace}/a`, { k: 'mine' });
    await tenant.untilReady('sync', { status: 'False', reason: 'ConflictsFound' });
    const { destination, source } = (await rowsByName(tenant, 'sync'))['a'] ?? {};
    const named = { source: source?.version, destination: destination?.version };
    const resolve = JSON.stringify([{ name: 'a', winner: 'source', ...named }]);
    await tenant.mergePatch('SecretMigration', 'sync', {
      metadata: { annotations: { 'keyferry.io/resolve': resolve } },
    });
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
    expect(await statesOf(tenant, 'sync')).toEqual({ a: 'Verified SourceWon', b: 'Verified' });
    expect(await kvData(tenant, `${tenant.namespace}/a`)).toEqual({ k: '1' });
    expect(await versionOf(tenant, 'a')).toBe(3);
  });

  it('goes on after a restart of the operator without reading or writing what did not change', async () => {
    const tenant = await fromSecrets();
    const changes = stage().changesOf(tenant).length;
    await stage().operator.stop();
    await tenant.apply(aSecret('a', { k: '2' }));
    const requests = stage().bao.requests.length;
    await stage().restartOperator();
    await untilInKv(tenant, 'a', { k: '2' });
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
    const read = stage()
      .bao.requests.slice(requests)
      .filter(({ path }) => path.endsWith(`/data/${tenant.namespace}/b`));
    expect(read).toEqual([]);
    expect(stage().changesOf(tenant).length).toBeGreaterThan(changes);
  });
});

describe('paths that Secrets follow', () => {
  it('brings a rotated value into the Secret, which says what it reflects', async () => {
    const tenant = await fromPaths();
    await kvPut(tenant, `${tenant.namespace}/a`, { k: '2' });
    await untilInSecret(tenant, 'a', '2');
    const annotations = (await tenant.secret('a'))?.metadata.annotations;
    expect(annotations?.['keyferry.io/reflects']).toMatch(/^2 /);
  });

  it('answers a requested run at once', async () => {
    const tenant = await fromPaths({ sync: { intervalSeconds: 3600 } });
    await kvPut(tenant, `${tenant.namespace}/a`, { k: '2' });
    await requestRun(tenant, 'sync');
    await untilInSecret(tenant, 'a', '2');
  });

  it('undoes an edit of the Secret with Overwrite, after it kept a copy', async () => {
    const tenant = await fromPaths({ conflictPolicy: 'Overwrite' });
    await tenant.apply(aSecret('a', { k: 'mine' }));
    await untilInSecret(tenant, 'a', '1');
    await eventually('the row names the copy', async () => {
      const { backup = 'none', reason } = (await rowsByName(tenant, 'sync'))['a'] ?? {};
      const kept = await tenant.secret(backup);
      const value = Buffer.from(kept?.data?.['k'] ?? '', 'base64').toString();
      return reason === 'RestoredDestination' && value === 'mine';
    });
  });
});

describe('sides that both lead', () => {
  it('exchanges changes, and shows changes of both as a conflict', async () => {
    const tenant = await fromSecrets({ sync: { authority: 'Either', intervalSeconds: 5 } });
    await kvPut(tenant, `${tenant.namespace}/a`, { k: '2' });
    await untilInSecret(tenant, 'a', '2');
    await tenant.apply(aSecret('a', { k: '3' }));
    await untilInKv(tenant, 'a', { k: '3' });
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  });

  it('follows the destination once a value was projected', async () => {
    const tenant = await fromSecrets({ sourcePolicy: 'Project' });
    await kvPut(tenant, `${tenant.namespace}/a`, { k: '2' });
    await untilInSecret(tenant, 'a', '2');
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  });
});

describe('two names in one store', () => {
  /** `old-a` becomes `new-a` until this time. */
  async function renamed(untilTime: string): Promise<Tenant> {
    const tenant = await stage().tenant();
    await kvPut(tenant, `${tenant.namespace}/old-a`, { k: '1' });
    const mapping = {
      path: '{namespace}/{name}',
      prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }],
    };
    const sync = { intervalSeconds: 5, untilTime };
    const spec = { from: 'bao', to: 'bao', select: { prefix: 'old-' }, mapping, ...SYNC, sync };
    await tenant.apply(aMigration('sync', { ...spec, conflictPolicy: 'Overwrite' }));
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
    await untilInKv(tenant, 'new-a', { k: '1' });
    return tenant;
  }

  it('gives the new name what an old program writes, and nothing after it was deleted', async () => {
    const tenant = await renamed('2035-01-01T00:00:00Z');
    const metadata = `${tenant.mount}/metadata/${tenant.namespace}/new-a`;
    await kvPut(tenant, `${tenant.namespace}/old-a`, { k: '2' });
    await untilInKv(tenant, 'new-a', { k: '2' });
    await eventually('both values are counted', async () => {
      const { fallback } = (await tenant.migration('sync')).status;
      return fallback?.state === 'Active' && fallback.hits === 2;
    });
    await tenant.cluster.bao('DELETE', metadata);
    await kvPut(tenant, `${tenant.namespace}/old-a`, { k: '3' });
    await requestRun(tenant, 'sync');
    await tenant.untilReady('sync', { status: 'False', reason: 'ConflictsFound' });
    expect(await statesOf(tenant, 'sync')).toEqual({ 'old-a': 'Conflict BothChanged' });
    expect(await versionOf(tenant, 'new-a')).toBeUndefined();
  });

  it('ends at its time, by itself, and says which old names changed since', async () => {
    const tenant = await renamed(new Date(Date.now() + 3000).toISOString());
    await eventually('the status says so', async () => {
      const { fallback } = (await tenant.migration('sync')).status;
      return fallback?.state === 'Ended';
    });
    await kvPut(tenant, `${tenant.namespace}/old-a`, { k: '2' });
    await requestRun(tenant, 'sync');
    await eventually(
      'the row says so',
      async () => (await statesOf(tenant, 'sync'))['old-a'] === 'Skipped SyncEnded',
    );
    expect(await versionOf(tenant, 'new-a')).toBe(1);
  });
});

it('stops following when the mode is Once again, and removes nothing', async () => {
  const tenant = await fromSecrets();
  await tenant.mergePatch('SecretMigration', 'sync', { spec: { mode: 'Once' } });
  await tenant.untilReady('sync', { status: 'True', reason: 'Completed' });
  await tenant.apply(aSecret('a', { k: '2' }));
  await tenant.apply(aMigration('other', { select: { names: ['b'] } }));
  await tenant.untilReady('other');
  expect(await kvData(tenant, `${tenant.namespace}/a`)).toEqual({ k: '1' });
});

describe('what is selected', () => {
  it('changes with the labels of a Secret: one joins, and one that leaves is left alone', async () => {
    const tenant = await stage().tenant();
    const labeled = (name: string, value: string, team: string) => {
      const metadata = { name, labels: { team } };
      return { ...aSecret(name, { k: value }), metadata };
    };
    await tenant.apply(labeled('a', '1', 'edge'));
    await tenant.apply(labeled('b', '1', 'core'));
    const select = { labelSelector: { matchLabels: { team: 'core' } } };
    await tenant.apply(aMigration('sync', { ...SYNC, select }));
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
    await tenant.apply(labeled('a', '1', 'core'));
    await untilInKv(tenant, 'a', { k: '1' });
    await tenant.apply(labeled('a', '2', 'edge'));
    await eventually('it has no row', async () => !Object.hasOwn(await rowsByName(tenant, 'sync'), 'a'));
    expect(await kvData(tenant, `${tenant.namespace}/a`)).toEqual({ k: '1' });
  });

  it('is each key of a Secret that is split, also one that is new', async () => {
    const mapping = { path: '{namespace}/{name}', split: {} };
    const tenant = await fromSecrets({ mapping, select: { prefix: 'a/' } });
    await tenant.apply(aSecret('a', { k: '2', new: '3' }));
    await untilInKv(tenant, 'a/k', { value: '2' });
    await untilInKv(tenant, 'a/new', { value: '3' });
  });
});
