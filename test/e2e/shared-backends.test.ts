import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { dump } from 'js-yaml';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { kvData, kvMetadata, rowsByName, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import {
  applyClusterBackend,
  clusterBackend,
  patchClusterBackend,
  untilBackend,
} from '#test/support/cluster-backends.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { Tenant } from '#test/support/tenant.ts';

const stage = useStage();
const SHARED = 'shared';
const TOKEN_SECRET = 'shared-token';
let mount: string;

/** A Secret beside the operator, where ClusterSecretBackends look for their credentials. */
async function storeBesideOperator(name: string, field: string, value: string): Promise<void> {
  const path = `/api/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/secrets/${name}?fieldManager=test&force=true`;
  await stage().cluster.kube('PATCH', path, aSecret(name, { [field]: value }), {
    'content-type': 'application/apply-patch+yaml',
  });
}

function sharedSpec(allowedNamespaces: readonly string[], address = stage().bao.url): object {
  const { cluster } = stage();
  const { spec } = anOpenBaoBackend({
    address,
    mount,
    caBundle: cluster.baoCaPem,
    tokenSecret: TOKEN_SECRET,
    pathPrefix: 'teams',
  });
  return { ...spec, allowedNamespaces };
}

async function share(namespaces: readonly string[]): Promise<void> {
  await applyClusterBackend(stage().cluster, SHARED, { spec: sharedSpec(namespaces) });
  await untilBackend(async () => clusterBackend(stage().cluster, SHARED), 'Available');
}

/** From the Secrets of the namespace to the backend that is shared. */
function toShared(name: string, spec: Partial<SecretMigration['spec']> = {}) {
  const migration = aMigration(name, { mapping: { path: '{name}' }, ...spec });
  const destination = { backendRef: { kind: 'ClusterSecretBackend', name: SHARED } };
  return { ...migration, spec: { ...migration.spec, destination } };
}

async function aTenantWith(password: string): Promise<Tenant> {
  const tenant = await stage().tenant({ mount });
  await tenant.apply(aSecret('db', { password }));
  return tenant;
}

beforeAll(async () => {
  const { cluster } = stage();
  mount = await cluster.createMount('shared');
  await storeBesideOperator(TOKEN_SECRET, 'token', await cluster.createToken(documentedPolicy(mount)));
});

describe('a ClusterSecretBackend', () => {
  describeSeparation();
  describeSharing();
  describeOutside();
});

function describeSeparation(): void {
  it('gives each namespace a folder of its own, so that equal names do not meet', async () => {
    const [red, blue] = [await aTenantWith('of red'), await aTenantWith('of blue')];
    await share([red.namespace, blue.namespace]);
    for (const tenant of [red, blue]) await tenant.apply(toShared('move', { sourcePolicy: 'Delete' }));
    for (const tenant of [red, blue]) await tenant.untilReady('move', { reason: 'Completed' });

    expect(await kvData(red, `teams/${red.namespace}/db`)).toEqual({ password: 'of red' });
    expect(await kvData(blue, `teams/${blue.namespace}/db`)).toEqual({ password: 'of blue' });
    expect((await rowsByName(red, 'move'))['db']).toMatchObject({
      state: 'Removed',
      destination: { path: 'db', version: '1' },
    });
    expect((await red.migration('move')).status.backends).toEqual({
      source: 'SecretBackend/kubernetes',
      destination: `ClusterSecretBackend/${SHARED}`,
    });
  });

  it('shows a namespace nothing of another one on the way back', async () => {
    const [red, blue] = [await aTenantWith('of red'), await aTenantWith('of blue')];
    await share([red.namespace, blue.namespace]);
    for (const tenant of [red, blue]) {
      await tenant.apply(toShared('move', { sourcePolicy: 'Delete' }));
      await tenant.untilReady('move', { reason: 'Completed' });
    }
    const { spec, ...back } = toShared('back', { select: { all: true } });
    await red.apply({ ...back, spec: { ...spec, source: spec.destination, destination: spec.source } });
    await red.untilReady('back', { reason: 'Completed' });

    expect(await statesOf(red, 'back')).toEqual({ db: 'Verified' });
    const data = (await red.secret('db'))?.data ?? {};
    expect(Buffer.from(data['password'] ?? '', 'base64').toString()).toBe('of red');
  });

  it('lets nobody in by default, says who can help, and goes on as soon as the namespace is named', async () => {
    const tenant = await aTenantWith('p');
    await share([]);
    await tenant.apply(toShared('move'));
    const refused = await tenant.untilReady('move', { status: 'False', reason: 'BackendForbidden' });
    const ready = refused.status.conditions?.find(({ type }) => type === 'Ready');
    expect(ready?.message).toBe(
      `This namespace may not use the backend (ClusterSecretBackend ${SHARED}). Ask an administrator to add it to spec.allowedNamespaces of the ClusterSecretBackend, or use another backend. See https://keyferry.io/docs/reasons#backendforbidden.`,
    );
    expect(refused.status.keys).toBeUndefined();

    await patchClusterBackend(stage().cluster, SHARED, { spec: { allowedNamespaces: [tenant.namespace] } });
    await tenant.untilReady('move', { reason: 'Completed' });
  });

  it('is closed to a namespace again as soon as that is no longer named', async () => {
    const tenant = await aTenantWith('p');
    await share([tenant.namespace]);
    await tenant.apply(toShared('first'));
    await tenant.untilReady('first', { reason: 'Completed' });
    await share(['somebody-else']);
    await tenant.apply(aSecret('late', { a: 'b' }));
    await tenant.apply(toShared('second'));
    await tenant.untilReady('second', { status: 'False', reason: 'BackendForbidden' });
    expect(await kvMetadata(tenant, `teams/${tenant.namespace}/late`)).toBeUndefined();
  });

  it('is open to everybody with "*"', async () => {
    const tenant = await aTenantWith('p');
    await share(['*']);
    await tenant.apply(toShared('move'));
    await tenant.untilReady('move', { reason: 'Completed' });
  });
}

function describeSharing(): void {
  it('keeps a namespace in its folder, whatever an override says', async () => {
    const [red, blue] = [await aTenantWith('of red'), await aTenantWith('of blue')];
    await share(['*']);
    const overrides = [{ name: 'db', path: `${blue.namespace}/db` }];
    await red.apply(toShared('aside', { mapping: { path: '{name}', overrides } }));
    await red.untilReady('aside', { reason: 'Completed' });
    expect(await kvMetadata(red, `teams/${blue.namespace}/db`)).toBeUndefined();
    expect(await kvData(red, `teams/${red.namespace}/${blue.namespace}/db`)).toEqual({ password: 'of red' });
  });

  it('logs in once for all namespaces, and reads its token again when that changes', async () => {
    const [red, blue] = [await aTenantWith('r'), await aTenantWith('b')];
    await share(['*']);
    const lookups = () => stage().bao.requests.filter(({ path }) => path === '/v1/auth/token/lookup-self');
    await patchClusterBackend(stage().cluster, SHARED, { spec: { openbao: { maxInFlight: 8 } } });
    await untilBackend(async () => clusterBackend(stage().cluster, SHARED), 'Available');
    const before = lookups().length;
    for (const tenant of [red, blue]) {
      await tenant.apply(toShared('move'));
      await tenant.untilReady('move', { reason: 'Completed' });
    }
    expect(lookups().length).toBe(before);

    stage().allowErrors(/AUTH_DENIED/);
    await storeBesideOperator(TOKEN_SECRET, 'token', 'no-such-token');
    await untilBackend(async () => clusterBackend(stage().cluster, SHARED), 'PermissionDenied');
    const token = await stage().cluster.createToken(documentedPolicy(mount));
    await storeBesideOperator(TOKEN_SECRET, 'token', token);
    await untilBackend(async () => clusterBackend(stage().cluster, SHARED), 'Available');
  });

  it('reserves names for the namespaces that its administrator names', async () => {
    const [system, team] = [await aTenantWith('p'), await aTenantWith('p')];
    const reservedPrefixes = [{ prefix: 'sys_', allowNamespaces: [system.namespace] }];
    const spec = { ...sharedSpec(['*']), reservedPrefixes };
    await applyClusterBackend(stage().cluster, SHARED, { spec });
    await untilBackend(async () => clusterBackend(stage().cluster, SHARED), 'Available');
    stage().allowErrors(/NAME_RESERVED/);
    for (const tenant of [system, team])
      await tenant.apply(toShared('named', { mapping: { path: 'sys_{name}' } }));
    await system.untilReady('named', { reason: 'Completed' });
    await team.untilReady('named', { status: 'False', reason: 'ReservedName' });
    expect(await kvData(system, `teams/${system.namespace}/sys_db`)).toEqual({ password: 'p' });
    expect(await kvMetadata(team, `teams/${team.namespace}/sys_db`)).toBeUndefined();
  });

  it('is named in the audit log by its kind, without a namespace', async () => {
    const tenant = await aTenantWith('p');
    await share(['*']);
    await tenant.apply(toShared('audited'));
    await tenant.untilReady('audited', { reason: 'Completed' });
    const lines = stage().operator.logs().split('\n');
    const Line = z.object({ backend: z.unknown() });
    const written = lines.filter(
      (line) =>
        line.includes('"stream":"audit"') && line.includes(tenant.namespace) && line.includes('"write"'),
    );
    expect(written.map((line) => Line.parse(JSON.parse(line)).backend)).toEqual([
      { kind: 'ClusterSecretBackend', name: SHARED },
    ]);
  });
}

describe('a migration in the namespace of the operator', () => {
  it('never removes the Secret that a ClusterSecretBackend reads its token from', async () => {
    await share(['*']);
    const operators = Tenant.at(stage().cluster, OPERATOR_ACCOUNT.namespace, mount);
    const select = { names: [TOKEN_SECRET] };
    const { spec, ...migration } = toShared('own', { sourcePolicy: 'Delete', select });
    const { source: _default, ...rest } = spec;
    await operators.apply({ ...migration, spec: rest });
    await operators.untilReady('own', { reason: 'Completed' });

    const row = (await rowsByName(operators, 'own'))[TOKEN_SECRET];
    expect(row).toMatchObject({
      state: 'Verified',
      reason: 'TrustRoot',
      message: `The source is kept: ClusterSecretBackend ${SHARED} reads its credentials from this Secret.`,
    });
    expect(await operators.secret(TOKEN_SECRET)).toBeDefined();
  });
});

/** As `make run ARGS="--context dev"` with a list in KUBECONFIG starts it. The context names the namespace of a tenant. */
function describeOutside(): void {
  it('has its credentials in keyferry-system also for an operator outside of the cluster, whatever the context says', async () => {
    const tenant = await aTenantWith('p');
    const { kubeconfigPath } = stage().cluster;
    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-outside-'));
    const [missing, own] = [join(folder.path, 'missing'), join(folder.path, 'own')];
    const admin = new KubeConfig();
    admin.loadFromFile(kubeconfigPath);
    const { cluster, user } = admin.getContexts()[0] ?? {};
    const context = { cluster, user, namespace: tenant.namespace };
    await writeFile(own, dump({ contexts: [{ name: 'dev', context }], 'current-context': 'none' }));
    const KUBECONFIG = [missing, own, kubeconfigPath].join(delimiter);
    await stage().restartOperator({ KUBECONFIG, KEYFERRY_CONTEXT: 'dev' });
    try {
      expect(stage().operator.logs()).toContain(`"namespace":"${OPERATOR_ACCOUNT.namespace}"`);
      await share([tenant.namespace]);
      await tenant.apply(toShared('move'));
      await tenant.untilReady('move', { reason: 'Completed' });
      expect(await kvData(tenant, `teams/${tenant.namespace}/db`)).toEqual({ password: 'p' });
    } finally {
      await stage().restartOperator();
    }
  });
}
