import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT, startCluster, uniqueName, type Cluster } from '#test/cluster/cluster.ts';
import { findPrometheus, Prometheus, type Alert, type PrometheusPrograms } from '#test/cluster/prometheus.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import { dashboardExpressions, DashboardSchema, RulesSchema } from '#test/support/monitoring.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { Tenant } from '#test/support/tenant.ts';

/*
 * The rules that ship, in a real Prometheus that scrapes the real operator: the fault of each alert makes it fire, and the
 * end of the fault ends it. Only the waits of the rules are shortened.
 */

const FILES = join(import.meta.dirname, '../../../charts/keyferry/files');
const RULES = readFileSync(join(FILES, 'rules.yaml'), 'utf8');
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/leases/keyferry-operator`;
const seen = new Set<string>();
let cluster: Cluster;
let programs: PrometheusPrograms;
let prometheus: Prometheus;
let folder: string;
let auditLog: string;
let operator: OperatorProcess | undefined;

beforeAll(async () => {
  programs = await findPrometheus();
  cluster = await startCluster({ report: () => undefined });
  await cluster.installKeyferry();
  folder = mkdtempSync(join(tmpdir(), 'keyferry-alerts-'));
  auditLog = join(folder, 'audit.log');
  const quick = RULES.replaceAll(/for: \d+m/g, 'for: 0s')
    .replaceAll('[10m])) > 5', '[3s])) > 0')
    .replaceAll('> 300', '> 2');
  prometheus = await Prometheus.start(programs, cluster.folder, quick);
}, 300_000);

afterAll(async () => {
  await operator?.kill();
  await prometheus[Symbol.asyncDispose]();
  await cluster.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the operator whose metrics are scraped from now on. */
async function launch(options: Parameters<typeof startOperator>[1] = {}): Promise<OperatorProcess> {
  const quick = ['--probe-interval-seconds=1', '--waiting-retry-seconds=1'];
  const args = [...quick, `--audit-log=${auditLog}`, ...(options.args ?? [])];
  const started = await startOperator(cluster, { ...options, args });
  prometheus.scrape(started.metricsUrl);
  return started;
}

type Labels = Readonly<Record<string, string>>;

async function firing(name: string, labels: Labels): Promise<readonly Alert[]> {
  const wanted = Object.entries(labels);
  return (await prometheus.alerts()).filter(
    (alert) =>
      alert.name === name &&
      alert.state === 'firing' &&
      wanted.every(([label, value]) => alert.labels[label] === value),
  );
}

async function fires(name: string, labels: Labels = {}): Promise<void> {
  const alerts = await eventually(`${name} fires`, async () => {
    const found = await firing(name, labels);
    return found.length > 0 && found;
  });
  expect(alerts).toHaveLength(1);
  expect(alerts[0]?.annotations['runbook_url']).toMatch(new RegExp(`^https://.*/docs/runbooks/${name}$`));
  expect(JSON.stringify(alerts[0]?.annotations)).not.toContain('no value');
  seen.add(name);
}

async function ends(name: string, labels: Labels = {}): Promise<void> {
  await eventually(`${name} ends`, async () => (await firing(name, labels)).length === 0);
}

it('KeyferryAbsent fires while no replica is scraped, and no alert is left once one works', async () => {
  await fires('KeyferryAbsent');
  operator = await launch();
  await eventually('no alert is left', async () => (await prometheus.alerts()).length === 0);
});

describe('the alert on a backend', () => {
  it('fires while its server is sealed', async () => {
    const { namespace } = await Tenant.create(cluster);
    const backend = { kind: 'SecretBackend', namespace, name: 'bao' };
    await eventually('it is Ready', async () =>
      prometheus.count(
        `secretmigration_backend_condition{namespace="${namespace}",name="bao",status="True"} == 1`,
      ),
    );
    await cluster.seal();
    await fires('KeyferryBackendNotReady', backend);
    await cluster.unseal();
    await ends('KeyferryBackendNotReady', backend);
  });
});

describe('the alerts on a migration', () => {
  it('fire for a conflict until it is decided', async () => {
    const tenant = await Tenant.create(cluster);
    const about = { namespace: tenant.namespace, name: 'moving' };
    const taken = { data: { other: 'value' }, options: { cas: 0 } };
    await cluster.bao('POST', `${tenant.mount}/data/${tenant.namespace}/db`, taken);
    await tenant.apply(aSecret('db', { password: 'p' }));
    await tenant.apply(aMigration('moving'));
    await fires('KeyferryMigrationConflict', about);
    expect(await firing('KeyferryMigrationStalled', about)).toEqual([]);
    await tenant.mergePatch('SecretMigration', 'moving', { spec: { conflictPolicy: 'Overwrite' } });
    await ends('KeyferryMigrationConflict', about);
    await tenant.untilReady('moving');
  });

  it('fire for documents for which a right is missing, until it is granted', async () => {
    const tenant = await Tenant.create(cluster);
    const { namespace, mount } = tenant;
    const denied = `path "${mount}/data/${namespace}/db" { capabilities = ["deny"] }`;
    const useToken = async (policy: string): Promise<void> =>
      tenant.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'bao-token' },
        stringData: { token: await cluster.createToken(policy) },
      });
    await useToken(`${documentedPolicy(mount)}\n${denied}`);
    await tenant.apply(aSecret('db', { password: 'p' }));
    await tenant.apply(aMigration('moving'));
    await fires('KeyferryMigrationKeysFailed', { namespace, name: 'moving' });
    await useToken(documentedPolicy(mount));
    await ends('KeyferryMigrationKeysFailed', { namespace, name: 'moving' });
    await tenant.untilReady('moving');
  });

  it('fire for a spec that no run can carry out, until it is corrected', async () => {
    const tenant = await Tenant.create(cluster);
    const about = { namespace: tenant.namespace, name: 'back' };
    const mapping = { path: '{label:team}/{name}' };
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', mapping }));
    await fires('KeyferryMigrationStalled', about);
    await tenant.mergePatch('SecretMigration', 'back', { spec: { mapping: null } });
    await ends('KeyferryMigrationStalled', about);
    await tenant.delete('SecretMigration', 'back');
  });

  it('fire for a migration whose backend is missing, until it is created', async () => {
    const tenant = await Tenant.create(cluster);
    const { namespace, mount } = tenant;
    await tenant.apply(aSecret('db', { password: 'p' }));
    await tenant.apply(aMigration('early', { to: 'later' }));
    await fires('KeyferryMigrationWaiting', { namespace, name: 'early' });
    const server = { address: cluster.baoUrl, mount, caBundle: cluster.baoCaPem };
    await tenant.apply(anOpenBaoBackend({ name: 'later', ...server }));
    await ends('KeyferryMigrationWaiting', { namespace, name: 'early' });
    await tenant.untilReady('early');
  });
});

describe('the alerts on a migration that is kept in step', () => {
  it('fire while its server is sealed and a Secret has changed, until both sides are equal', async () => {
    const tenant = await Tenant.create(cluster);
    const about = { namespace: tenant.namespace, name: 'sync' };
    await tenant.apply(aSecret('db', { password: '1' }));
    await tenant.apply(aMigration('sync', { mode: 'Sync', sync: { intervalSeconds: 5 } }));
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
    await cluster.seal();
    await tenant.apply(aSecret('db', { password: '2' }));
    await fires('KeyferrySyncLag', about);
    await fires('KeyferrySyncBlind', about);
    await cluster.unseal();
    await ends('KeyferrySyncLag', about);
    await ends('KeyferrySyncBlind', about);
    const reply = await cluster.bao('GET', `${tenant.mount}/data/${tenant.namespace}/db`);
    expect(reply).toMatchObject({ data: { data: { password: '2' } } });
  });
});

describe('the alerts on the operator', () => {
  it('fire while its audit log cannot be written', async () => {
    const tenant = await Tenant.create(cluster);
    await tenant.apply(aSecret('db', { password: 'p' }));
    await tenant.apply(aMigration('moving'));
    await tenant.untilReady('moving');
    renameSync(auditLog, `${auditLog}.1`);
    mkdirSync(auditLog);
    const annotations = { [RECONCILE_REQUESTED_ANNOTATION]: 'now' };
    await tenant.mergePatch('SecretMigration', 'moving', { metadata: { annotations } });
    await fires('KeyferryAuditLogBlocked');
    rmdirSync(auditLog);
    await ends('KeyferryAuditLogBlocked');
  });

  it('has metrics that promtool accepts, and a dashboard that Prometheus understands', async () => {
    const metrics = (await operator?.metrics()) ?? '';
    expect(metrics).toContain('secretmigration_backend_requests_total{');
    const printed = execFileSync(programs.promtool, ['check', 'metrics'], {
      input: metrics,
      encoding: 'utf8',
    });
    expect(printed).toBe('');
    execFileSync(programs.promtool, ['check', 'rules', join(FILES, 'rules.yaml')]);
    const dashboard = DashboardSchema.parse(JSON.parse(readFileSync(join(FILES, 'dashboard.json'), 'utf8')));
    for (const [, expression] of dashboardExpressions(dashboard)) {
      const filled = expression.replaceAll('$namespace', '.*').replaceAll('$__rate_interval', '5m');
      const series = await prometheus.count(filled);
      // No migration of this file has a fallback, and an operation fails only in the test of a sealed server.
      const canBeEmpty = /fallback_hits|code!~/.test(expression);
      expect([expression, canBeEmpty || series > 0]).toEqual([expression, true]);
    }
  });

  it('fire while the Lease belongs to a replica that no longer exists, until it is taken over', async () => {
    await operator?.stop();
    const holder = { holderIdentity: 'a-replica-that-died', leaseDurationSeconds: 15, leaseTransitions: 9 };
    const renewTime = new Date().toISOString().replace('Z', '000Z');
    const spec = { ...holder, renewTime, acquireTime: renewTime };
    await cluster.kube('PATCH', LEASE, { spec }, { 'content-type': 'application/merge-patch+json' });
    operator = await launch();
    await fires('KeyferryNoLeader', { name: 'keyferry-operator' });
    await ends('KeyferryNoLeader');
    await operator.stop();
  });

  it('fire while it may not list what it watches, until the right is granted', async () => {
    const { namespace } = OPERATOR_ACCOUNT;
    const name = uniqueName('powerless');
    await cluster.kube('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
    operator = await launch({ account: name, args: ['--leader-election=false'], skipReady: true });
    const about = { resource: 'secretmigrations' };
    await fires('KeyferryWatchFailing', about);
    await cluster.kube('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    });
    await ends('KeyferryWatchFailing', about);
  });
});

it('every alert that ships was made to fire', () => {
  const { groups } = RulesSchema.parse(load(RULES));
  const shipped = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  expect([...seen].toSorted()).toEqual(shipped.toSorted());
});
