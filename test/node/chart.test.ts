import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { startNode, type Node } from '#test/cluster/node/node.ts';
import { Helm, RELEASE } from '#test/support/helm.ts';
import { buildImage, hasBuildah, TEST_IMAGE } from '#test/support/image-archive.ts';
import { kvData, pathOf, statesOf } from '#test/support/queries.ts';
import { Tenant } from '#test/support/tenant.ts';

/* The chart with its image in a real pod: what a user does with Helm, from the first installation to the last. */

const LOGIN = { username: 'app', password: 'päss\nword ' };
const WAIT = ['--wait', '--timeout=30s'];
const temporary = mkdtempSync(join(tmpdir(), 'keyferry-chart-'));

let cluster: Cluster;
let node: Node;
let helm: Helm;
let address: string;
let tenant: Tenant;

describe.skipIf(!hasBuildah)('the chart on a node', () => {
  beforeAll(async () => {
    cluster = await startCluster({ report: () => undefined });
    node = await startNode(cluster, () => undefined);
    await node.importImage(buildImage(temporary, 'chart'));
    address = await node.exposeKvServer();
    helm = await Helm.find(4, cluster.kubeconfigPath);
    const level = node.hasSeccomp ? 'restricted' : 'baseline';
    const metadata = { name: 'keyferry-system', labels: { 'pod-security.kubernetes.io/enforce': level } };
    await cluster.kube('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
  });

  it('is installed, and Helm waits until the operator is ready', async () => {
    await waitsFor('install');
    expect(await deployment()).toMatchObject({ status: { readyReplicas: 1 } });
    expect(await cluster.kube('GET', `/apis/${API_VERSION}/clustersecretbackends/kubernetes`)).toBeDefined();
  });

  it('projects a Secret, and a workload resolves its environment and its volume from it', async () => {
    tenant = await Tenant.create(cluster, { address, tlsServerName: 'localhost' });
    await tenant.apply(aSecret('login', LOGIN));
    await tenant.apply(aMigration('project', { sourcePolicy: 'Project' }));
    await tenant.untilReady('project');
    expect(await statesOf(tenant, 'project')).toEqual({ login: 'Verified Projected' });
    expect(await kvData(tenant, pathOf(tenant, 'login'))).toEqual(LOGIN);
    const pod = await node.runPod({
      namespace: tenant.namespace,
      name: 'workload',
      env: { KF_PASSWORD: { secret: 'login', key: 'password' } },
      volumes: ['login'],
    });
    expect(pod.printed.env['KF_PASSWORD']).toEqual(Buffer.from(LOGIN.password));
    expect(pod.printed.files['login/username']).toEqual(Buffer.from(LOGIN.username));
  });

  it('is upgraded to two replicas, and Helm waits for both and for the default backend', async () => {
    await waitsFor('upgrade', '--set=replicas=2');
    expect(await deployment()).toMatchObject({ status: { readyReplicas: 2 } });
    await moves('after-upgrade');
  });

  it('that is uninstalled leaves migrations and Secrets, and works with them when it is installed again', async () => {
    await helm.mustRun(['uninstall', 'keyferry', '-n', 'keyferry-system', ...WAIT]);
    expect(await tenant.secret('login')).toBeDefined();
    expect(await statesOf(tenant, 'project')).toEqual({ login: 'Verified Projected' });
    await waitsFor('install');
    await moves('after-installation');
  });
});

afterAll(async () => {
  // A Deployment would make a new pod for each one that ends with the node.
  await helm?.run(['uninstall', 'keyferry', '-n', 'keyferry-system', ...WAIT]);
  await node?.dispose();
  await cluster?.dispose();
  rmSync(temporary, { recursive: true, force: true });
});

function settings(): readonly string[] {
  const [registry = '', repository = '', tag = ''] = TEST_IMAGE.split(/[/:]/);
  return [
    `--set=image.registry=${registry}`,
    `--set=image.repository=${repository}`,
    `--set=image.tag=${tag}`,
    '--set=image.pullPolicy=Never',
    `--set=admission.allowedAddresses={${address}}`,
    // A runc without seccomp starts no pod that asks for it.
    ...(node.hasSeccomp ? [] : ['--set=podSecurityContext.seccompProfile=null']),
  ];
}

/** Installs or upgrades; a failure says what the pods say. */
async function waitsFor(command: 'install' | 'upgrade', ...more: readonly string[]): Promise<void> {
  const { code, stderr } = await helm.run([command, ...RELEASE, ...settings(), ...more, ...WAIT]);
  if (code === 0) return;
  const inSystem = ['-n', 'keyferry-system'];
  const events = await cluster.kubectl(['get', 'events', ...inSystem]);
  const logs = await cluster.kubectl(['logs', 'deployment/keyferry', ...inSystem]);
  throw new Error([stderr, events.stdout, logs.stdout, logs.stderr].join('\n'));
}

async function deployment(): Promise<object> {
  return await cluster.kube('GET', '/apis/apps/v1/namespaces/keyferry-system/deployments/keyferry');
}

/** A migration of one more Secret completes. */
async function moves(name: string): Promise<void> {
  await tenant.apply(aSecret(name, { password: name }));
  await tenant.apply(aMigration(name, { select: { names: [name] } }));
  await tenant.untilReady(name);
  expect(await kvData(tenant, pathOf(tenant, name))).toEqual({ password: name });
}
