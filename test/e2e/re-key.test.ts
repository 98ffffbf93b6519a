import { describe, expect, it } from 'vitest';
import { aMigration, anOpenBaoBackend } from '#test/builders/objects.ts';
import { cloneKvServer } from '#test/cluster/kv-clone.ts';
import { overtake } from '#test/support/gate.ts';
import {
  conditionOf,
  kvData,
  kvMetadata,
  kvNames,
  kvPut,
  pathOf,
  reasonOf,
  rowsByName,
  softDelete,
  statesOf,
  versionOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

/*
 * ToolHive #4346: bare keys of a secret store get names with a scope. What the original got wrong (reference peers.md §1.1)
 * has a test each that fails on its behavior: "values are never compared" (a newer old value is destroyed), order of
 * write and delete, user keys that merely look like ours, values that cannot be listed.
 */

const stage = useStage();

/** The table of the original: scope by the begin of the name, the whole old name behind it. */
const MAPPING = {
  path: '{namespace}/{name}',
  scopes: { prefix: '__thv_', separator: '_' },
  prefixes: [
    { from: 'BEARER_TOKEN_', scope: 'workloads', stripPrefix: false },
    { from: 'OAUTH_CLIENT_SECRET_', scope: 'workloads', stripPrefix: false },
    { from: 'registry-user-', scope: 'workloads', stripPrefix: false },
    { from: 'REGISTRY_OAUTH_', scope: 'registry', stripPrefix: false },
  ],
};

function aReKeying(name: string, change: Parameters<typeof aMigration>[1] = {}) {
  const select = { all: true as const };
  return aMigration(name, {
    from: 'bao',
    to: 'bao',
    select,
    mapping: MAPPING,
    sourcePolicy: 'Delete',
    ...change,
  });
}

/** Another backend on the mount of the tenant; at the same address unless one is given. */
function anotherBackend(
  { cluster, mount }: Tenant,
  more: { readonly name: string; readonly address?: string; readonly pathPrefix?: string },
) {
  return anOpenBaoBackend({ address: stage().bao.url, mount, caBundle: cluster.baoCaPem, ...more });
}

async function aTenantWith(...names: readonly string[]): Promise<Tenant> {
  const tenant = await stage().tenant();
  for (const name of names) await kvPut(tenant, pathOf(tenant, name), { value: `of ${name}` });
  return tenant;
}

/** What can be read: name → value; a deleted name is not there. */
async function readable(tenant: Tenant): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const name of await kvNames(tenant, tenant.namespace)) {
    const metadata = await kvMetadata(tenant, pathOf(tenant, name));
    const current = metadata?.versions[String(metadata.current_version)];
    if (current?.deletion_time === '')
      found[name] = (await kvData(tenant, pathOf(tenant, name)))['value'] ?? '';
  }
  return found;
}

describe('re-keying inside one store', () => {
  describeNames();
  describeOlderPrograms();
  describeBackends();
  describeTwoEnds();
});

function describeNames(): void {
  it('gives each name the scope of the first prefix that matches and removes the old name', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_a', 'registry-user-b', 'REGISTRY_OAUTH_c', 'MY_OWN');
    await tenant.apply(aReKeying('rekey'));
    const migration = await tenant.untilReady('rekey');

    expect(await readable(tenant)).toEqual({
      __thv_workloads_BEARER_TOKEN_a: 'of BEARER_TOKEN_a',
      '__thv_workloads_registry-user-b': 'of registry-user-b',
      __thv_registry_REGISTRY_OAUTH_c: 'of REGISTRY_OAUTH_c',
      MY_OWN: 'of MY_OWN',
    });
    expect(await statesOf(tenant, 'rekey')).toEqual({
      BEARER_TOKEN_a: 'Removed',
      'registry-user-b': 'Removed',
      REGISTRY_OAUTH_c: 'Removed',
      MY_OWN: 'Skipped NoRule',
    });
    expect(migration.status.rules).toEqual([
      { rule: 'prefixes[0]', total: 1, migrated: 1, skipped: 0, failed: 0 },
      { rule: 'prefixes[1]', total: 0, migrated: 0, skipped: 0, failed: 0 },
      { rule: 'prefixes[2]', total: 1, migrated: 1, skipped: 0, failed: 0 },
      { rule: 'prefixes[3]', total: 1, migrated: 1, skipped: 0, failed: 0 },
    ]);
  });

  it('shows every name, its target and its rule before anything moves, and what is excluded stays out', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_ours', 'BEARER_TOKEN_of-a-user', 'MY_OWN');
    await tenant.apply(aReKeying('dry', { dryRun: true }));
    await tenant.untilReady('dry');
    const shown = Object.values(await rowsByName(tenant, 'dry')).map(
      ({ name, reason, rule, destination }) => `${name} ${reason} ${rule} ${destination?.path}`,
    );
    expect(shown.toSorted()).toEqual([
      `BEARER_TOKEN_of-a-user WouldCreate prefixes[0] ${pathOf(tenant, '__thv_workloads_BEARER_TOKEN_of-a-user')}`,
      `BEARER_TOKEN_ours WouldCreate prefixes[0] ${pathOf(tenant, '__thv_workloads_BEARER_TOKEN_ours')}`,
      `MY_OWN NoRule undefined ${pathOf(tenant, 'MY_OWN')}`,
    ]);
    expect(stage().changesOf(tenant)).toEqual([]);

    const exclude = { names: ['BEARER_TOKEN_of-a-user'] };
    await tenant.mergePatch('SecretMigration', 'dry', {
      spec: { dryRun: false, select: { all: true, exclude } },
    });
    await tenant.untilReady('dry', { reason: 'Completed' });
    expect(Object.keys(await readable(tenant)).toSorted()).toEqual([
      'BEARER_TOKEN_of-a-user',
      'MY_OWN',
      '__thv_workloads_BEARER_TOKEN_ours',
    ]);
  });

  it('leaves alone what already has its new name, also when it is asked again', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_a', '__thv_workloads_BEARER_TOKEN_b');
    await tenant.apply(aReKeying('first'));
    await tenant.untilReady('first');
    const before = stage().changesOf(tenant).length;
    await tenant.apply(aReKeying('second'));
    await tenant.untilReady('second');

    expect(await statesOf(tenant, 'second')).toEqual({
      BEARER_TOKEN_a: 'Skipped SourceDeleted',
      __thv_workloads_BEARER_TOKEN_a: 'Skipped AlreadyRenamed',
      __thv_workloads_BEARER_TOKEN_b: 'Skipped AlreadyRenamed',
    });
    expect(stage().changesOf(tenant)).toHaveLength(before);
  });

  it('removes an old name whose new one holds the same, and writes nothing for it', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_a');
    const target = pathOf(tenant, '__thv_workloads_BEARER_TOKEN_a');
    await kvPut(tenant, target, { value: 'of BEARER_TOKEN_a' });
    await tenant.apply(aReKeying('equal'));
    await tenant.untilReady('equal');
    expect(await statesOf(tenant, 'equal')).toMatchObject({ BEARER_TOKEN_a: 'Removed' });
    expect(await readable(tenant)).toEqual({ __thv_workloads_BEARER_TOKEN_a: 'of BEARER_TOKEN_a' });
    expect(await versionOf(tenant, '__thv_workloads_BEARER_TOKEN_a')).toBe(1);
  });
}

function describeOlderPrograms(): void {
  it('keeps both when an older program has refreshed the old name: the original destroyed the newer value', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_a', 'BEARER_TOKEN_b');
    await kvPut(tenant, pathOf(tenant, '__thv_workloads_BEARER_TOKEN_a'), { value: 'older' });
    await tenant.apply(aReKeying('differs'));
    const migration = await tenant.untilReady('differs', { status: 'False' });

    expect(reasonOf(migration)).toBe('ConflictsFound');
    expect(await statesOf(tenant, 'differs')).toMatchObject({
      BEARER_TOKEN_a: 'Conflict DestinationDiffers',
      BEARER_TOKEN_b: 'Removed',
    });
    expect(await readable(tenant)).toMatchObject({
      BEARER_TOKEN_a: 'of BEARER_TOKEN_a',
      __thv_workloads_BEARER_TOKEN_a: 'older',
      __thv_workloads_BEARER_TOKEN_b: 'of BEARER_TOKEN_b',
    });
    expect(migration.status.rules?.[0]).toEqual({
      rule: 'prefixes[0]',
      total: 3,
      migrated: 1,
      skipped: 1,
      failed: 1,
    });
  });

  it('writes and proves each new name before its old one goes', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_a', 'BEARER_TOKEN_b');
    await tenant.apply(aReKeying('order'));
    await tenant.untilReady('order');
    const changes = stage().changesOf(tenant);
    for (const name of ['BEARER_TOKEN_a', 'BEARER_TOKEN_b']) {
      const written = changes.indexOf(
        `POST /v1/${tenant.mount}/data/${pathOf(tenant, `__thv_workloads_${name}`)}`,
      );
      const removed = changes.indexOf(`POST /v1/${tenant.mount}/delete/${pathOf(tenant, name)}`);
      expect(written).toBeGreaterThanOrEqual(0);
      expect(removed).toBeGreaterThan(written);
    }
  });

  it('takes a new value along that an older program writes under the old name while it moves', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_a');
    const path = new RegExp(`^/v1/${tenant.mount}/delete/${pathOf(tenant, 'BEARER_TOKEN_a')}$`);
    const overtaken = overtake(stage().bao, path, async () =>
      kvPut(tenant, pathOf(tenant, 'BEARER_TOKEN_a'), { value: 'refreshed' }),
    );
    await tenant.apply(aReKeying('refreshed'));
    await overtaken;
    await tenant.untilReady('refreshed', { status: 'False', reason: 'ConflictsFound' });
    expect(await readable(tenant)).toEqual({
      BEARER_TOKEN_a: 'refreshed',
      __thv_workloads_BEARER_TOKEN_a: 'of BEARER_TOKEN_a',
    });
  });

  it('does not bring back what was deleted under its new name', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_a', '__thv_workloads_BEARER_TOKEN_a');
    await softDelete(tenant, '__thv_workloads_BEARER_TOKEN_a');
    await tenant.apply(aReKeying('deleted'));
    await tenant.untilReady('deleted', { status: 'False', reason: 'ConflictsFound' });
    expect(await readable(tenant)).toEqual({ BEARER_TOKEN_a: 'of BEARER_TOKEN_a' });
  });
}

function describeTwoEnds(): void {
  it('does not count a document as moved that only a copy of the server has', async () => {
    const tenant = await aTenantWith('a');
    const clone = await cloneKvServer(tenant.cluster);
    await kvPut(tenant, pathOf(tenant, 'b'), { value: 'written after the copy' });
    await tenant.apply(anotherBackend(tenant, { name: 'copy', address: clone.url }));
    await tenant.apply(
      aMigration('cloned', { from: 'bao', to: 'copy', select: { all: true }, sourcePolicy: 'Delete' }),
    );
    const migration = await tenant.untilReady('cloned', { status: 'False', reason: 'IdentityShared' });
    expect(conditionOf(migration, 'Ready')?.message).toContain(
      `Either ${stage().bao.url} and ${clone.url} are one server, or one is a copy of the other`,
    );
    expect(await readable(tenant)).toEqual({ a: 'of a', b: 'written after the copy' });
    expect(stage().changesOf(tenant)).toEqual([]);
  });

  it('is refused for a folder inside its own source, which would grow with each migration', async () => {
    const tenant = await aTenantWith('a');
    await tenant.apply(anotherBackend(tenant, { name: 'inside', pathPrefix: `${tenant.namespace}/new` }));
    const mapping = { path: '{name}' };
    const ends = { from: 'bao', to: 'inside', mapping, sourcePolicy: 'Delete' as const };
    await tenant.apply(aMigration('nested', { ...ends, select: { all: true } }));
    const migration = await tenant.untilReady('nested', { status: 'False', reason: 'NestedEnds' });
    expect(conditionOf(migration, 'Ready')?.message).toContain('spec.select.exclude.prefixes');
    expect(stage().changesOf(tenant)).toEqual([]);

    const exclude = { prefixes: [`${tenant.namespace}/new/`] };
    for (const name of ['first', 'again']) {
      await tenant.apply(aMigration(name, { ...ends, select: { all: true, exclude } }));
      await tenant.untilReady(name);
    }
    expect(await kvNames(tenant, `${tenant.namespace}/new/${tenant.namespace}`)).toEqual(['a']);
  });
}

function describeBackends(): void {
  it('refuses two names with one target, and one whose target is still another’s name', async () => {
    const tenant = await aTenantWith('old-a', 'OLD-a', 'chain-1', 'chain-2');
    const prefixes = [
      { from: 'old-', to: 'new-', stripPrefix: true },
      { from: 'OLD-', to: 'new-', stripPrefix: true },
    ];
    const overrides = [
      { name: 'chain-1', path: pathOf(tenant, 'chain-2') },
      { name: 'chain-2', path: pathOf(tenant, 'chain-3') },
    ];
    const mapping = { path: '{namespace}/{name}', prefixes, overrides };
    await tenant.apply(aReKeying('collide', { mapping }));
    await tenant.untilReady('collide', { status: 'False' });
    expect(await statesOf(tenant, 'collide')).toEqual({
      'old-a': 'Failed MappingCollision',
      'OLD-a': 'Failed MappingCollision',
      'chain-1': 'Failed MappingCollision',
      'chain-2': 'Removed',
    });
    const values = await readable(tenant);
    expect(Object.values(values).toSorted()).toEqual(['of OLD-a', 'of chain-1', 'of chain-2', 'of old-a']);
  });

  it('never takes a document for its own copy, whichever backends lead to it', async () => {
    const tenant = await aTenantWith('a', 'b');
    await tenant.apply(anotherBackend(tenant, { name: 'same' }));
    await tenant.apply(
      aMigration('self', { from: 'bao', to: 'same', select: { all: true }, sourcePolicy: 'Delete' }),
    );
    await tenant.untilReady('self', { status: 'False', reason: 'NothingMoved' });
    expect(await statesOf(tenant, 'self')).toEqual({ a: 'Skipped NoRule', b: 'Skipped NoRule' });
    expect(await readable(tenant)).toEqual({ a: 'of a', b: 'of b' });
  });

  it('renames Kubernetes Secrets of one namespace as well, with their type', async () => {
    const tenant = await stage().tenant();
    await tenant.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'old-login' },
      type: 'kubernetes.io/basic-auth',
      stringData: { username: 'u', password: 'p' },
    });
    const mapping = { path: '{name}', prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }] };
    const select = { prefix: 'old-' };
    await tenant.apply(aMigration('secrets', { to: 'kubernetes', select, mapping, sourcePolicy: 'Delete' }));
    await tenant.untilReady('secrets');
    expect(await tenant.secret('old-login')).toBeUndefined();
    expect(await tenant.secret('new-login')).toMatchObject({ type: 'kubernetes.io/basic-auth' });
  });

  it('asks of the backends what a single rule needs, before anything is written', async () => {
    const tenant = await aTenantWith('BEARER_TOKEN_a', 'registry-user-b');
    const [first, second] = MAPPING.prefixes.filter(({ from }) => /^(BEARER|registry)/.test(from));
    if (first === undefined || second === undefined) throw new Error('the table has both');
    const mapping = { ...MAPPING, prefixes: [first, { ...second, sourcePolicy: 'Backup' as const }] };
    await tenant.apply(aReKeying('one-rule', { mapping, sourcePolicy: 'Keep' }));
    await tenant.untilReady('one-rule', { status: 'False', reason: 'CapabilityMissing' });
    expect(stage().changesOf(tenant)).toEqual([]);
  });

  it('says in one sentence that one backend needs new names', async () => {
    const tenant = await stage().tenant();
    const apply = tenant.apply(aMigration('nonsense', { from: 'bao', to: 'bao', select: { all: true } }));
    await expect(apply).rejects.toThrow(
      /same backend: set the new names in mapping.prefixes, mapping.patterns or mapping.overrides/,
    );
    const scoped = { ...MAPPING, prefixes: [{ from: 'A_', scope: 'work_loads', stripPrefix: false }] };
    await expect(tenant.apply(aReKeying('separator', { mapping: scoped }))).rejects.toThrow(
      /must not contain mapping.scopes.separator/,
    );
  });
}
