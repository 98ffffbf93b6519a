import { describe, expect, it } from 'vitest';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { CLAIM_LABEL } from '#src/backends/kubernetes/marks.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import {
  conditionOf,
  kvData,
  kvMetadata,
  kvNames,
  kvPut,
  pathOf,
  requestRun,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import type { Tenant, TenantOptions } from '#test/support/tenant.ts';

/*
 * ToolHive #4343: names of the system that users neither see nor touch. As there, a request for several names is looked at
 * whole before anything is done; unlike there, nothing that is refused tells whether the name is in use.
 */

const stage = useStage();
const MESSAGE =
  /^The name is reserved\. Names that start with sys[_-] are reserved for system use \(.*\)\. Use another name/;

async function reserve(
  tenant: Tenant,
  backend: string,
  prefix: string,
  allowNamespaces: readonly string[] = [],
): Promise<void> {
  const { metadata } = await tenant.backend(backend);
  await tenant.mergePatch('SecretBackend', backend, {
    spec: { reservedPrefixes: [{ prefix, allowNamespaces }] },
  });
  expect((await tenant.backend(backend)).metadata.generation).toBeGreaterThan(metadata.generation);
}

/** A tenant whose KV folder has `a`, `b` and, reserved for others, `sys_a` and a folder of them. */
async function aTenantBesideTheSystem(options: TenantOptions = {}): Promise<Tenant> {
  const tenant = await stage().tenant(options);
  for (const name of ['a', 'b', 'sys_a', 'sys_folder/c'])
    await kvPut(tenant, pathOf(tenant, name), { value: `of ${name}` });
  await reserve(tenant, 'bao', 'sys_');
  return tenant;
}

function fromBao(name: string, spec: Parameters<typeof aMigration>[1]) {
  return aMigration(name, { from: 'bao', to: 'kubernetes', ...spec });
}

async function refused(tenant: Tenant, name: string): Promise<SecretMigration> {
  const migration = await tenant.untilReady(name, { status: 'False', reason: 'ReservedName' });
  expect(conditionOf(migration, 'Ready')?.message).toMatch(MESSAGE);
  return migration;
}

/**
 * What the operator asked either server about values of this tenant, beside the token of its backend, and the listing of
 * claims that each run begins with: it names no document and returns no value.
 */
function askedForValues({ namespace, mount }: Tenant): readonly string[] {
  const place = new RegExp(`^/v1/${mount}/(data|delete)/|/namespaces/${namespace}/secrets(/|$)`);
  return [...stage().bao.requests, ...stage().api.requests]
    .filter(({ path, query }) => place.test(path) && !path.endsWith('/bao-token') && !isOfClaims(query))
    .map(({ method, path }) => `${method} ${path}`);
}

function isOfClaims(query: string): boolean {
  return new URLSearchParams(query).get('labelSelector') === CLAIM_LABEL;
}

/** Lines of the audit log about values that migrations of this tenant accessed; its backends log in all the same. */
function accesses({ namespace }: Tenant): readonly string[] {
  const lines = stage().operator.logs().split('\n');
  const own = lines.filter((line) => line.includes('"stream":"audit"') && line.includes(namespace));
  return own.filter((line) => !/"operation":"(readCredential|requestToken|login)"/.test(line));
}

function expectNothingTouched(tenant: Tenant): void {
  expect(askedForValues(tenant)).toEqual([]);
  expect(accesses(tenant)).toEqual([]);
}

async function namesOfSecrets(tenant: Tenant): Promise<readonly string[]> {
  const secrets = await tenant.secrets();
  return secrets.map(({ metadata }) => metadata.name).filter((name) => name !== 'bao-token');
}

describe('names that a backend reserves for others', () => {
  describeSelections();
  describeChanges();
});

function describeSelections(): void {
  it('are in no selection of everything, and their folders are not even listed', async () => {
    const tenant = await aTenantBesideTheSystem();
    await tenant.apply(fromBao('everything', { select: { all: true } }));
    const { status } = await tenant.untilReady('everything');

    expect(await statesOf(tenant, 'everything')).toEqual({ a: 'Verified', b: 'Verified' });
    const leftOut = [{ reason: 'Reserved', documents: 2 }];
    expect(status.inventory).toEqual({ discovered: 4, selected: 2, leftOut });
    expect((await namesOfSecrets(tenant)).toSorted()).toEqual(['a', 'b']);
    const asked = stage().bao.requests.filter(({ path }) => path.startsWith(`/v1/${tenant.mount}/`));
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter(({ path }) => path.includes('/sys_'))).toEqual([]);

    await tenant.apply(fromBao('by-prefix', { select: { prefix: 'sys_' } }));
    await tenant.untilReady('by-prefix', { reason: 'NothingSelected' });
  });

  it('do not stop a selection of everything where the server refuses what is below them', async () => {
    const mount = await stage().cluster.createMount('kv');
    const denied = `path "${mount}/metadata/+/sys_folder/" { capabilities = ["deny"] }`;
    const tenant = await aTenantBesideTheSystem({ mount, policy: `${documentedPolicy(mount)}\n${denied}` });
    await tenant.apply(fromBao('everything', { select: { all: true } }));
    await tenant.untilReady('everything');
    expect(await statesOf(tenant, 'everything')).toEqual({ a: 'Verified', b: 'Verified' });
  });

  it.each(['sys_a', 'sys_there_is_none'])(
    'refuse the whole request that names %s, before anything of it is touched',
    async (name) => {
      const tenant = await aTenantBesideTheSystem();
      await tenant.apply(fromBao('named', { select: { names: ['a', name] }, sourcePolicy: 'Delete' }));
      const migration = await refused(tenant, 'named');

      expect(conditionOf(migration, 'Ready')?.message).toContain(`(${name} at ${pathOf(tenant, name)})`);
      expect(migration.status.keys ?? []).toEqual([]);
      expectNothingTouched(tenant);
      expect(await namesOfSecrets(tenant)).toEqual([]);
      expect(await kvData(tenant, pathOf(tenant, 'a'))).toEqual({ value: 'of a' });
    },
  );

  it('refuse the whole request that would write one, whatever it is called at the source', async () => {
    const tenant = await stage().tenant();
    for (const name of ['web', 'db']) await tenant.apply(aSecret(name, { password: 'p' }));
    await reserve(tenant, 'bao', 'sys_');
    const mapping = { path: '{namespace}/{name}', overrides: [{ name: 'db', path: 'team/sys_db' }] };
    await tenant.apply(aMigration('written', { select: { names: ['web', 'db'] }, mapping }));
    const migration = await refused(tenant, 'written');

    expect(conditionOf(migration, 'Ready')?.message).toContain('(db at team/sys_db)');
    expectNothingTouched(tenant);
    expect(await kvNames(tenant, tenant.namespace)).toEqual([]);
    expect(await kvMetadata(tenant, 'team/sys_db')).toBeUndefined();
  });
}

function describeChanges(): void {
  it('refuse to overwrite, remove or keep a backup of one', async () => {
    const tenant = await aTenantBesideTheSystem();
    const names = ['sys_a'];
    await tenant.apply(fromBao('removes', { select: { names }, sourcePolicy: 'Delete' }));
    await tenant.apply(aSecret('sys-login', { password: 'p' }));
    await reserve(tenant, 'kubernetes', 'sys-');
    await tenant.apply(aMigration('backs-up', { select: { names: ['sys-login'] }, sourcePolicy: 'Backup' }));
    const overrides = [{ name: 'a', path: pathOf(tenant, 'sys_a') }];
    const mapping = { path: '{namespace}/{name}', overrides };
    await tenant.apply(
      aMigration('overwrites', {
        from: 'bao',
        to: 'bao',
        select: { names: ['a'] },
        mapping,
        conflictPolicy: 'Overwrite',
      }),
    );
    for (const name of ['removes', 'backs-up', 'overwrites']) await refused(tenant, name);

    expectNothingTouched(tenant);
    expect(await kvData(tenant, pathOf(tenant, 'sys_a'))).toEqual({ value: 'of sys_a' });
    expect(await namesOfSecrets(tenant)).toEqual(['sys-login']);
  });

  it('are names like any other to a namespace that is allowed', async () => {
    const tenant = await aTenantBesideTheSystem();
    await reserve(tenant, 'bao', 'sys_', ['somebody-else', tenant.namespace]);
    const prefixes = [{ from: 'sys_', to: 'sys_new_', stripPrefix: true }];
    const mapping = { path: '{namespace}/{name}', prefixes };
    const select = { names: ['sys_a', 'a'] };
    await tenant.apply(
      aMigration('allowed', { from: 'bao', to: 'bao', select, mapping, sourcePolicy: 'Delete' }),
    );
    await tenant.untilReady('allowed');
    expect(await statesOf(tenant, 'allowed')).toEqual({ a: 'Skipped NoRule', sys_a: 'Removed' });
    expect(await kvData(tenant, pathOf(tenant, 'sys_new_a'))).toEqual({ value: 'of sys_a' });
  });

  it('follow an edit of the backend: the next run may what the last one might not, and the other way round', async () => {
    const tenant = await aTenantBesideTheSystem();
    const prefixes = [{ from: 'sys_', to: 'freed-', stripPrefix: true }];
    const mapping = { path: '{namespace}/{name}', prefixes };
    await tenant.apply(fromBao('named', { select: { names: ['sys_a'] }, mapping }));
    await refused(tenant, 'named');
    await reserve(tenant, 'bao', 'sys_', [tenant.namespace]);
    await tenant.untilReady('named');
    expect(await namesOfSecrets(tenant)).toEqual(['freed-a']);

    const exclude = { names: ['sys_a'], prefixes: ['sys_folder/'] };
    await tenant.apply(fromBao('everything', { select: { all: true, exclude } }));
    await tenant.untilReady('everything');
    await reserve(tenant, 'bao', 'a');
    await requestRun(tenant, 'everything');
    expect(Object.keys(await statesOf(tenant, 'everything'))).toEqual(['b']);
    await reserve(tenant, 'bao', 'sys_');
    await requestRun(tenant, 'named');
    await refused(tenant, 'named');
  });
}
