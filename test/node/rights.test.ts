import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { allowAddress } from '#test/cluster/admission.ts';
import { readAuditLog } from '#test/cluster/audit.ts';
import { configFolder, OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { issueCertificate } from '#test/cluster/pki.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import { serveForeignKinds } from '#test/support/foreign-kinds.ts';
import { hasBuildah } from '#test/support/image-archive.ts';
import { kvData, pathOf, requestRun } from '#test/support/queries.ts';
import {
  allows,
  grantsIn,
  grantsOfManifests,
  lineOf,
  neededByAudited,
  unusedIn,
  type Grant,
} from '#test/support/rbac-rules.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { Site } from './site.ts';

/*
 * What the operator in its pod asks of the API server, by the server's own audit log, and what the roles of the chart allow.
 * test/integration/operator/scopes.test.ts compares the roles of config/ with requests that a proxy sees.
 */

const { namespace: SYSTEM } = OPERATOR_ACCOUNT;
const PAYMENTS = 'payments';
const LOGIN = 'payments-vault';
const SECRETS = `/api/v1/namespaces/${PAYMENTS}/secrets`;
const BACKENDS = `/apis/${API_VERSION}/namespaces/${PAYMENTS}/secretbackends`;
const QUICK = [
  '--set=operator.statusIntervalSeconds=1',
  '--set=operator.probeIntervalSeconds=1',
  '--set=operator.waitingRetrySeconds=1',
];
/** With names so long, their rows are more than a status contains. */
const MANY_KEYS = 260;
/** A client whose token is known, and that may not get /metrics: the operator itself. */
const SCRAPE = `require('node:https').get({ host: process.env.POD_IP, port: 8443, path: '/metrics', rejectUnauthorized: false,
  headers: { authorization: 'Bearer ' + fs.readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/token') } },
  (reply) => process.stdout.write(String(reply.statusCode)) && reply.resume());`;

/** An object with conditions. */
interface Judged {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const suite = sharedCluster();
let site: Site;
let tenant: Tenant;

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await suite.dispose();
});

beforeAll(async () => {
  if (!hasBuildah) return;
  site = await Site.open(suite);
  const manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: PAYMENTS } };
  await site.cluster.kube('POST', '/api/v1/namespaces', manifest);
  const accounts = `/api/v1/namespaces/${PAYMENTS}/serviceaccounts`;
  await site.cluster.kube('POST', accounts, { metadata: { name: LOGIN } });
  await site.cluster.enableKubernetesAuth();
  await serveForeignKinds(site.cluster);
});

describe.skipIf(!hasBuildah)('the roles of the chart', () => {
  it('of the scope strict are all that the operator asks for, and no more', async () => {
    await using scoped = await Scoped.open([
      '--set=rbac.scope=strict',
      `--set=rbac.namespaces={${PAYMENTS}}`,
      `--set=rbac.secretNames.${PAYMENTS}.read={bao-token}`,
      `--set=rbac.secretNames.${PAYMENTS}.project={projected}`,
      `--set=rbac.secretNames.${PAYMENTS}.move={moved}`,
      `--set=rbac.secretNames.${PAYMENTS}.create=true`,
      `--set=rbac.secretNames.${SYSTEM}.read={shared-token}`,
      `--set=rbac.serviceAccountNames.${PAYMENTS}={${LOGIN}}`,
    ]);
    await worksBothWays();
    await scoped.expectExactRights(['create secretmigrationreports', 'update secretmigrationreports']);
  });

  it('of the scope namespaces are all that the operator asks for, and no more', async () => {
    await using scoped = await Scoped.open([
      '--set=rbac.scope=namespaces',
      `--set=rbac.namespaces={${PAYMENTS}}`,
      `--set=rbac.secretNames.${SYSTEM}.read={shared-token}`,
      `--set=rbac.serviceAccountNames.${PAYMENTS}={${LOGIN}}`,
    ]);
    await worksBothWays();
    await writesAReport();
    await scoped.expectExactRights([]);
  });

  it('of the scope cluster with secure metrics are all that the operator asks for, and no more', async () => {
    await createMetricsCertificate();
    await using scoped = await Scoped.open([
      '--set=metrics.enabled=true',
      '--set=metrics.certSecret=metrics-certificate',
    ]);
    await worksBothWays();
    await writesAReport();
    const exec = ['exec', '-n', SYSTEM, 'deployment/keyferry', '--', '/usr/bin/node', '-e', SCRAPE];
    expect((await site.cluster.kubectl(exec)).stdout).toBe('403');
    await scoped.expectExactRights([]);
  });
});

describe.skipIf(!hasBuildah)('config/default, applied with kubectl', () => {
  it('runs the operator in a pod, which needs each of its roles and no more', async ({ skip }) => {
    skip(!site.node.hasSeccomp, 'this runc starts no pod that asks for seccomp');
    await using scoped = await Scoped.apply();
    await worksBothWays();
    await writesAReport();
    await scoped.expectExactRights([]);
  });
});

/** A release with the roles of a scope, and what its operator sent since. */
class Scoped implements AsyncDisposable {
  readonly #grants: readonly Grant[];
  readonly #before: number;

  private constructor(grants: readonly Grant[], before: number) {
    this.#grants = grants;
    this.#before = before;
  }

  static async open(settings: readonly string[]): Promise<Scoped> {
    const grants = grantsOfManifests(await site.helm.template(settings));
    const before = readAuditLog(site.cluster.folder).length;
    await site.deploy('install', [...QUICK, ...settings]);
    tenant ??= await site.tenant(PAYMENTS);
    return new Scoped(grants, before);
  }

  /** As config/default says: CRDs first, then everything else, without an edit. */
  static async apply(): Promise<Scoped> {
    const { cluster } = site;
    const folder = join(configFolder(), 'default');
    const grants = await grantsIn(cluster, folder);
    const before = readAuditLog(cluster.folder).length;
    const crds = join(configFolder(), '../crds');
    await mustRun(['apply', '-f', crds]);
    await mustRun(['wait', '--for=condition=Established', '--timeout=60s', '-f', crds]);
    await mustRun(['apply', '-k', folder]);
    await mustRun(['rollout', 'status', 'deployment/keyferry', '-n', SYSTEM, '--timeout=120s']);
    await allowAddress(cluster, site.address);
    return new Scoped(grants, before);
  }

  /** Waits for rights that are used after seconds, such as that to renew the Lease. `unused`: what this scope does not exercise. */
  async expectExactRights(unused: readonly string[]): Promise<void> {
    const events = (): ReturnType<typeof readAuditLog> =>
      readAuditLog(site.cluster.folder).slice(this.#before);
    const sent = () => events().flatMap((event) => neededByAudited(event) ?? []);
    await eventually('each right was used', () => {
      expect(unusedIn(this.#grants, sent())).toEqual(unused);
      return true;
    });
    const beyond = sent().filter((needed) => !this.#grants.some((grant) => allows(grant, needed)));
    expect([...new Set(beyond.map(lineOf))]).toEqual([]);
    const refused = events().filter(({ responseStatus }) => responseStatus?.code === 403);
    expect(refused.map(({ requestURI }) => requestURI)).toEqual([]);
  }

  /** So that the next operator makes its own Lease, and writes the first status of the default backend. */
  async [Symbol.asyncDispose](): Promise<void> {
    await site.cluster.kubectl(['delete', 'deployment', 'keyferry', '-n', SYSTEM, '--ignore-not-found']);
    await site.uninstall();
    await site.cluster.kubectl(['delete', 'lease', 'keyferry-operator', '-n', SYSTEM]);
    await site.cluster.kubectl(['delete', 'clustersecretbackends', '--all']);
  }
}

async function mustRun(args: readonly string[]): Promise<void> {
  const { code, stderr } = await site.cluster.kubectl(args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
}

/** Every source policy that writes to Secrets, a creation, a login as a ServiceAccount, and the same event twice. */
async function worksBothWays(): Promise<void> {
  await site.cluster.kubectl(['delete', 'secret', 'projected', '-n', PAYMENTS, '--ignore-not-found']);
  await completes('projected', { sourcePolicy: 'Project', conflictPolicy: 'Overwrite' });
  await completes('moved', { sourcePolicy: 'Delete', conflictPolicy: 'Overwrite' });
  expect(await tenant.secret('moved')).toBeUndefined();
  await completes('moved', { from: 'bao', to: 'kubernetes' });
  expect((await tenant.secret('moved'))?.data).toEqual(aSecret('moved', { password: 'moved' }).data);
  await logsIn();
  const shared = await sharedBackend();
  await Promise.all([
    losesItsTokenTwice({ backend: `${BACKENDS}/bao`, token: `${SECRETS}/bao-token` }),
    losesItsTokenTwice(shared),
  ]);
}

async function completes(name: string, spec: Parameters<typeof aMigration>[1]): Promise<void> {
  // So that it is also asked who takes its CA, before it is removed.
  const annotations = { 'cert-manager.io/allow-direct-injection': 'true' };
  if (spec?.from === undefined) await tenant.apply(aSecret(name, { password: name }, { annotations }));
  const run = spec?.from === undefined ? name : `${name}-back`;
  await tenant.apply(aMigration(run, { select: { names: [name] }, ...spec }));
  await tenant.untilReady(run, { status: 'True', reason: 'Completed' });
  expect(await kvData(tenant, pathOf(tenant, name))).toEqual({ password: name });
  await tenant.delete('SecretMigration', run);
}

/** The backend `login`, with a token of a ServiceAccount. */
async function logsIn(): Promise<void> {
  const audience = 'keyferry.io/openbao';
  await site.cluster.createKubernetesRole({
    role: PAYMENTS,
    serviceAccounts: [LOGIN],
    namespaces: [PAYMENTS],
    policy: documentedPolicy(tenant.mount),
    audience,
  });
  const auth = {
    kubernetes: { role: PAYMENTS, serviceAccountRef: { name: LOGIN }, audiences: [audience] },
  };
  const openbao = {
    address: site.address,
    mount: tenant.mount,
    caBundle: site.cluster.baoCaPem,
    tlsServerName: 'localhost',
    auth,
  };
  const metadata = { name: 'login' };
  await tenant.apply({
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata,
    spec: { type: 'openbao', openbao },
  });
  await isReady(`${BACKENDS}/login`, 'True');
  await tenant.delete('SecretBackend', 'login');
}

interface BackendWithToken {
  /** Paths of the API. */
  readonly backend: string;
  readonly token: string;
}

/** A ClusterSecretBackend with the token of the tenant: its events are in another namespace, with a right of their own. */
async function sharedBackend(): Promise<BackendWithToken> {
  const { data } = (await tenant.secret('bao-token')) ?? {};
  const token = `/api/v1/namespaces/${SYSTEM}/secrets`;
  await site.cluster.kubeClient.reply('POST', token, { metadata: { name: 'shared-token' }, data });
  const { openbao } = (await tenant.backend('bao')).spec;
  const auth = { token: { secretRef: { name: 'shared-token' } } };
  const backends = `/apis/${API_VERSION}/clustersecretbackends`;
  await site.cluster.kube('POST', backends, {
    apiVersion: API_VERSION,
    kind: 'ClusterSecretBackend',
    metadata: { name: 'shared' },
    spec: { type: 'openbao', openbao: { ...openbao, auth }, allowedNamespaces: [PAYMENTS] },
  });
  await isReady(`${backends}/shared`, 'True');
  return { backend: `${backends}/shared`, token: `${token}/shared-token` };
}

/** An event that occurs again within minutes is counted in the first one. */
async function losesItsTokenTwice({ backend, token }: BackendWithToken): Promise<void> {
  const { data } = await site.cluster.kube<{ data: object }>('GET', token);
  const write = async (content: object): Promise<void> => {
    await site.cluster.kube('PATCH', token, content, { 'content-type': 'application/merge-patch+json' });
  };
  for (const _time of [1, 2]) {
    await write({ stringData: { token: 'not-a-token' } });
    await isReady(backend, 'False');
    await write({ data });
    await isReady(backend, 'True');
  }
}

async function isReady(backend: string, wanted: 'True' | 'False'): Promise<void> {
  await eventually(`${backend} is Ready=${wanted}`, async () => {
    const { status } = await site.cluster.kube<Judged>('GET', backend);
    return status?.conditions?.find(({ type }) => type === 'Ready')?.status === wanted;
  });
}

/** More rows than fit into a status, and a row that changes. */
async function writesAReport(): Promise<void> {
  const values = Object.fromEntries(
    Array.from({ length: MANY_KEYS }, (_, index) => [`key-${index}-${'x'.repeat(240)}`, 'value']),
  );
  await tenant.apply(aSecret('many', values));
  await tenant.apply(aMigration('many', { select: { names: ['many'] }, conflictPolicy: 'Overwrite' }));
  await tenant.untilReady('many');
  const before = await tenant.rows('many');
  expect(before).toHaveLength(MANY_KEYS);
  await tenant.apply(aSecret('many', { ...values, another: 'value' }));
  await requestRun(tenant, 'many');
  expect((await tenant.rows('many')).length).toBeGreaterThan(before.length);
  await tenant.delete('SecretMigration', 'many');
}

async function createMetricsCertificate(): Promise<void> {
  const server = await issueCertificate(site.cluster.authority('kubernetes'), {
    commonName: 'metrics',
    dnsNames: [`keyferry-metrics.${SYSTEM}.svc`],
    usages: ['server'],
  });
  await site.cluster.kube('POST', `/api/v1/namespaces/${SYSTEM}/secrets`, {
    metadata: { name: 'metrics-certificate' },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': server.certificate, 'tls.key': server.key },
  });
}
