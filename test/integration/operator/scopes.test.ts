import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { configFolder, OPERATOR_ACCOUNT, startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import { serveForeignKinds } from '#test/support/foreign-kinds.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { conditionOf, kvData, pathOf } from '#test/support/queries.ts';
import {
  allows,
  grantsIn,
  lineOf,
  neededFor,
  unusedIn,
  type Grant,
  type Needed,
} from '#test/support/rbac-rules.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import { Tenant } from '#test/support/tenant.ts';

/*
 * The operator with the roles of each scope, as config/ has them. The cluster is shared: a scope has a superset of the rights
 * of the one before, and every request is compared with the roles of its own scope.
 */

const PAYMENTS = 'payments';
const SHARED = 'clustersecretbackends.keyferry.io';
const STRICT = ['--watch-namespaces=payments', '--watch-secrets=false'];
/** More Secrets than are read one by one where they can be listed. */
const MANY = Array.from({ length: 12 }, (_, index) => `many-${index}`);

let cluster: Cluster;
let tenant: Tenant;
let outside: Tenant;

beforeAll(async () => {
  cluster = await startCluster({ report: () => undefined });
  const manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: PAYMENTS } };
  await cluster.kube('POST', '/api/v1/namespaces', manifest);
  await serveForeignKinds(cluster);
});
afterAll(async () => cluster.dispose());

/** An operator with the roles of a scope, seen through a proxy, and two tenants: one in the scope and one outside of it. */
class Scoped implements AsyncDisposable {
  readonly operator: OperatorProcess;
  readonly grants: readonly Grant[];
  readonly #proxy: RecordingProxy;

  private constructor(proxy: RecordingProxy, operator: OperatorProcess, grants: readonly Grant[]) {
    this.#proxy = proxy;
    this.operator = operator;
    this.grants = grants;
  }

  static async open(scope: string, args: readonly string[]): Promise<Scoped> {
    // So that this operator makes its own Lease, and writes the first status of the default backend.
    const lease = ['lease', 'keyferry-operator', '-n', OPERATOR_ACCOUNT.namespace];
    for (const object of [lease, [SHARED, 'kubernetes']]) await cluster.kubectl(['delete', ...object]);
    await cluster.installKeyferry(scope);
    tenant ??= await Tenant.create(cluster, { namespace: PAYMENTS, tokenSecret: 'openbao-token' });
    outside ??= await Tenant.create(cluster, { mount: tenant.mount });
    return Scoped.start(scope, args);
  }

  /** The roles are there already. */
  static async start(scope: string, args: readonly string[]): Promise<Scoped> {
    const proxy = await startProxy(cluster, 'apiserver');
    const quick = ['--status-interval-seconds=1', '--probe-interval-seconds=1', '--waiting-retry-seconds=1'];
    const operator = await startOperator(cluster, { apiserverUrl: proxy.url, args: [...quick, ...args] });
    return new Scoped(proxy, operator, await grantsIn(cluster, configFolder(scope)));
  }

  sent(): readonly Needed[] {
    return this.#proxy.requests.flatMap((request) => neededFor(request) ?? []);
  }

  /** Requests that the API server refused. */
  forbidden(): readonly string[] {
    return this.#proxy.requests
      .filter(({ status }) => status === 403)
      .flatMap((request) => neededFor(request) ?? [])
      .map(lineOf);
  }

  /** Requests that no role of the scope allows, although a test may have granted more. */
  beyondRoles(): readonly string[] {
    const withoutGrant = this.sent().filter((needed) => !this.grants.some((grant) => allows(grant, needed)));
    return [...new Set(withoutGrant.map(lineOf))];
  }

  unused(): readonly string[] {
    return unusedIn(this.grants, this.sent());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator.stop();
    await this.#proxy[Symbol.asyncDispose]();
  }
}

/** Not exercised here: reports of large tables, and events that occur again. */
const NOT_EXERCISED: ReadonlySet<string> = new Set([
  'create secretmigrationreports',
  'update secretmigrationreports',
  'patch events',
]);

/** Moves a Secret to OpenBao, which removes it, and back, which creates it. */
async function movesBothWays(name: string, run: string): Promise<void> {
  const select = { names: [name] };
  // So that it is also asked who takes its CA.
  const annotations = { 'cert-manager.io/allow-direct-injection': 'true' };
  await tenant.apply(aSecret(name, { password: run }, { annotations }));
  await tenant.apply(
    aMigration(`to-${run}`, { select, sourcePolicy: 'Delete', conflictPolicy: 'Overwrite' }),
  );
  await tenant.untilReady(`to-${run}`, { status: 'True', reason: 'Completed' });
  expect(await tenant.secret(name)).toBeUndefined();
  expect(await kvData(tenant, pathOf(tenant, name))).toEqual({ password: run });
  await tenant.delete('SecretMigration', `to-${run}`);
  await tenant.apply(aMigration(`back-${run}`, { from: 'bao', to: 'kubernetes', select }));
  await tenant.untilReady(`back-${run}`, { status: 'True', reason: 'Completed' });
  expect(Buffer.from((await tenant.secret(name))?.data?.['password'] ?? '', 'base64').toString()).toBe(run);
  await tenant.delete('SecretMigration', `back-${run}`);
}

/** A migration outside of the scope gets no status, while one in it completes. */
async function leavesOthersAlone(scoped: Scoped, run: string): Promise<void> {
  await outside.apply(aSecret('db', { password: 'other' }));
  await outside.apply(aMigration(run));
  await tenant.apply(aMigration(run, { select: { names: ['payments-db'] }, conflictPolicy: 'Overwrite' }));
  await tenant.untilReady(run);
  expect((await outside.migration(run)).status.conditions ?? []).toEqual([]);
  expect((await outside.backend('bao')).status.conditions ?? []).toEqual([]);
  const touched = scoped.sent().filter(({ namespace }) => namespace === outside.namespace);
  expect(touched.map(lineOf)).toEqual([]);
  await tenant.delete('SecretMigration', run);
  await outside.delete('SecretMigration', run);
}

/** Waits, because the Lease is renewed after seconds. */
async function usesEachRight(scoped: Scoped): Promise<void> {
  await eventually('each right was used', () => {
    expect(scoped.unused().filter((right) => !NOT_EXERCISED.has(right))).toEqual([]);
    return true;
  });
}

/** A backend `login`, for which the operator needs a token of `payments-vault`. */
async function applyLogin(): Promise<void> {
  const auth = {
    kubernetes: {
      role: PAYMENTS,
      serviceAccountRef: { name: 'payments-vault' },
      audiences: ['keyferry.io/openbao'],
    },
  };
  const { mount } = tenant;
  await tenant.apply({
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name: 'login' },
    spec: { type: 'openbao', openbao: { address: cluster.baoUrl, mount, caBundle: cluster.baoCaPem, auth } },
  });
}

/** What `applyLogin` needs of both servers. */
async function prepareLogin(): Promise<void> {
  await cluster.enableKubernetesAuth();
  const accounts = `/api/v1/namespaces/${PAYMENTS}/serviceaccounts`;
  await cluster.kube('POST', accounts, { metadata: { name: 'payments-vault' } });
  await cluster.createKubernetesRole({
    role: PAYMENTS,
    serviceAccounts: ['payments-vault'],
    namespaces: [PAYMENTS],
    policy: documentedPolicy(tenant.mount),
    audience: 'keyferry.io/openbao',
  });
}

/** Logs in as a ServiceAccount, which needs a right on its token. */
async function logsIn(): Promise<void> {
  await applyLogin();
  await readyOfBackend('login', 'True');
  await tenant.delete('SecretBackend', 'login');
}

async function readyOfBackend(name: string, status: 'True' | 'False'): Promise<string> {
  return await eventually(`${name} is Ready=${status}`, async () => {
    const { conditions = [] } = (await tenant.backend(name)).status;
    const ready = conditions.find(({ type }) => type === 'Ready');
    return ready?.status === status && ready.message;
  });
}

describe('the scope strict', () => {
  let scoped: Scoped;
  beforeAll(async () => {
    scoped = await Scoped.open('strict', STRICT);
  });
  afterAll(async () => scoped[Symbol.asyncDispose]());

  it('moves named Secrets both ways, and sends nothing that its roles do not allow', async () => {
    await movesBothWays('payments-db', 'strict');
    expect(scoped.forbidden()).toEqual([]);
    expect(scoped.beyondRoles()).toEqual([]);
    const secrets = scoped.sent().filter(({ resource }) => resource === 'secrets');
    expect(secrets.filter(({ verb }) => verb === 'list' || verb === 'watch')).toEqual([]);
  });

  it('leaves other namespaces alone', async () => {
    await leavesOthersAlone(scoped, 'others-strict');
    expect(scoped.forbidden()).toEqual([]);
  });

  it('says what to grant to a migration that has to list', async () => {
    await tenant.apply(aMigration('everything'));
    const migration = await tenant.untilReady('everything', { status: 'False', reason: 'PermissionDenied' });
    expect(conditionOf(migration, 'Ready')?.message).toContain(
      'Use spec.select.names, or grant list on secrets in payments (https://keyferry.io/docs/security/rbac).',
    );
    await tenant.delete('SecretMigration', 'everything');
    expect(scoped.forbidden()).toEqual([]);
  });

  it('says what to grant to a backend that needs a token', async () => {
    await applyLogin();
    expect(await readyOfBackend('login', 'False')).toContain(
      'Grant the operator create on serviceaccounts/token payments-vault (https://keyferry.io/docs/security/rbac).',
    );
    await tenant.delete('SecretBackend', 'login');
    expect(scoped.beyondRoles()).toEqual(['create serviceaccounts/token payments/payments-vault']);
    await usesEachRight(scoped);
  });

  it('reads many named Secrets one by one', async () => {
    await cluster.kubectl([
      'create',
      'role',
      'many',
      '-n',
      PAYMENTS,
      '--verb=get',
      '--resource=secrets',
      ...MANY.map((name) => `--resource-name=${name}`),
    ]);
    const subject = `--serviceaccount=${OPERATOR_ACCOUNT.namespace}:${OPERATOR_ACCOUNT.name}`;
    await cluster.kubectl(['create', 'rolebinding', 'many', '-n', PAYMENTS, '--role=many', subject]);
    for (const name of MANY) await tenant.apply(aSecret(name, { password: name }));
    await tenant.apply(aMigration('many', { select: { names: MANY } }));
    await tenant.untilReady('many');
    expect(await kvData(tenant, pathOf(tenant, 'many-11'))).toEqual({ password: 'many-11' });
    await tenant.delete('SecretMigration', 'many');
  });

  it('notices a changed credential at the next probe', async () => {
    await readyOfBackend('bao', 'True');
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'openbao-token' } };
    const { data } = (await tenant.secret('openbao-token')) ?? {};
    await tenant.apply({ ...secret, stringData: { token: 'not-a-token' } });
    expect(await readyOfBackend('bao', 'False')).toContain('The token is not valid here');
    await tenant.apply({ ...secret, data });
    await readyOfBackend('bao', 'True');
  });

  it('removes nothing while it may not list pods, and says what to grant', async () => {
    const binding = ['rolebinding', 'keyferry-in-use', '-n', PAYMENTS];
    await cluster.kubectl(['delete', ...binding]);
    const spec = { select: { names: ['payments-smtp'] }, sourcePolicy: 'Delete' as const };
    await tenant.apply(aSecret('payments-smtp', { password: 'correct-horse' }));
    await tenant.apply(aMigration('blind', spec));
    const told = /may not list \S+ in payments\. Grant it: https:\/\/keyferry\.io\/docs\/security\/rbac/;
    await eventually('the row says what to grant', async () => {
      const [row] = await tenant.rows('blind');
      return row?.state === 'Verified' && row.reason === 'InUseUnknown' && told.test(row.message ?? '');
    });
    expect(await tenant.secret('payments-smtp')).toBeDefined();
    await cluster.installKeyferry('strict');
    await tenant.untilReady('blind', { status: 'True', reason: 'Completed' });
    expect(await tenant.secret('payments-smtp')).toBeUndefined();
    await tenant.delete('SecretMigration', 'blind');
  });
});

describe('without a right on ClusterSecretBackends', () => {
  it('works with SecretBackends, asks no list in vain, and says so once', async () => {
    await cluster.kubectl(['delete', 'clusterrolebinding', 'keyferry-shared-backends']);
    const operator = `system:serviceaccount:${OPERATOR_ACCOUNT.namespace}:${OPERATOR_ACCOUNT.name}`;
    await eventually('the right is gone', async () => {
      const { stdout } = await cluster.kubectl(['auth', 'can-i', 'list', SHARED, `--as=${operator}`]);
      return stdout.trim() === 'no';
    });
    await using scoped = await Scoped.start('strict', STRICT);
    await movesBothWays('payments-db', 'unshared');
    expect(scoped.forbidden()).toEqual([]);
    expect(scoped.sent().filter(({ resource }) => resource === 'clustersecretbackends')).toEqual([]);
    const lines = scoped.operator
      .logs()
      .split('\n')
      .filter((line) => line.includes('is not used'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`list and watch on ${SHARED} in all namespaces`);
  });
});

describe('the scope namespaces', () => {
  it('moves Secrets both ways, logs in as a named ServiceAccount, and needs each of its roles', async () => {
    await prepareLogin();
    await using scoped = await Scoped.open('namespaces', ['--watch-namespaces=payments']);
    await movesBothWays('payments-db', 'namespaces');
    await logsIn();
    await leavesOthersAlone(scoped, 'others-namespaces');
    expect(scoped.forbidden()).toEqual([]);
    expect(scoped.beyondRoles()).toEqual([]);
    await usesEachRight(scoped);
  });
});

describe('the scope cluster', () => {
  it('works in every namespace, and needs each of its roles', async () => {
    await using scoped = await Scoped.open('cluster', []);
    await movesBothWays('payments-db', 'cluster');
    await logsIn();
    await outside.apply(aMigration('reached'));
    await outside.untilReady('reached');
    expect(scoped.forbidden()).toEqual([]);
    expect(scoped.beyondRoles()).toEqual([]);
    await usesEachRight(scoped);
  });
});

describe('a namespace that the operator may not watch', () => {
  it('is named in the log with what to grant, and the operator is not ready', async () => {
    const account = 'watcher';
    const accounts = `/api/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/serviceaccounts`;
    await cluster.kube('POST', accounts, { metadata: { name: account } });
    await using operator = await startOperator(cluster, {
      account,
      args: ['--watch-namespaces=payments', '--leader-election=false'],
      skipReady: true,
    });
    const grant = 'list and watch on secretmigrations.keyferry.io in the namespace payments';
    await eventually('the log says what to grant', () => operator.logs().includes(grant));
    await expect(operator.waitUntilReady(1_000)).rejects.toThrow('is ready');
  });
});
