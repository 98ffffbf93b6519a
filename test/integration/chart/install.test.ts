import type { KubernetesObject, V1Deployment } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { untilAdmissionWorks } from '#test/cluster/admission.ts';
import { Helm, RELEASE } from '#test/support/helm.ts';

/*
 * The life of a release on a real API server, without a node. test/node has the operator in a pod.
 * Both versions of Helm use one cluster, so the second one adopts what the first one left.
 */

const SYSTEM = 'keyferry-system';
const BACKEND = `/apis/${API_VERSION}/clustersecretbackends/kubernetes`;
const MIGRATION = `/apis/${API_VERSION}/namespaces/payments/secretmigrations/move`;
const SECRET = '/api/v1/namespaces/payments/secrets/db';
const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/secretmigrations.keyferry.io';
const POLICIES = ['backends', 'migrations'].flatMap((name) => [
  `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/keyferry-${name}`,
  `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/keyferry-${name}`,
]);
const SETTINGS = `/api/v1/namespaces/${SYSTEM}/configmaps/keyferry-admission`;
const KEPT = [BACKEND, MIGRATION, SECRET, CRD, SETTINGS, ...POLICIES];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ report: () => undefined });
  const namespaces = [
    { name: SYSTEM, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    { name: 'payments' },
  ];
  for (const metadata of namespaces) {
    await cluster.kube('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
  }
  await cluster.kube('POST', '/api/v1/namespaces/payments/secrets', aSecret('db', { password: 'hunter2' }));
});
afterAll(async () => cluster.dispose());

async function uidsOf(paths: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(
    paths.map(async (path) => (await cluster.kube<Stored<KubernetesObject>>('GET', path)).metadata.uid),
  );
}

async function namesIn(path: string): Promise<readonly string[]> {
  const { items } = await cluster.kube<StoredList<KubernetesObject>>('GET', path);
  return items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('keyferry'));
}

describe.each([4, 3] as const)('a release of Helm %i', (major) => {
  let helm: Helm;
  beforeAll(async () => {
    helm = await Helm.find(major, cluster.kubeconfigPath);
  });

  it('is installed, with the default backend', async () => {
    const notes = await helm.mustRun(['install', ...RELEASE]);
    expect(notes).toContain('every backend of type openbao is refused');
    expect(await cluster.kube('GET', BACKEND)).toMatchObject({ spec: { type: 'kubernetes' } });
  });

  it('has a pod that a namespace with Pod Security restricted accepts', async () => {
    const { spec } = await cluster.kube<Stored<V1Deployment>>(
      'GET',
      `/apis/apps/v1/namespaces/${SYSTEM}/deployments/keyferry`,
    );
    const pods = `/api/v1/namespaces/${SYSTEM}/pods?dryRun=All`;
    const pod = { metadata: { name: 'pod' }, spec: spec?.template.spec };
    expect((await cluster.kubeClient.reply('POST', pods, pod)).status).toBe(201);
    const unrestricted = { ...pod, spec: { ...pod.spec, securityContext: {} } };
    expect((await cluster.kubeClient.reply('POST', pods, unrestricted)).status).toBe(403);
  });

  it('is upgraded, and adopts the default backend', async () => {
    const before = await uidsOf([BACKEND, CRD]);
    await helm.mustRun([
      'upgrade',
      ...RELEASE,
      '--set=replicas=2',
      '--set=admission.allowedAddresses={https://bao:1}',
    ]);
    expect(await uidsOf([BACKEND, CRD])).toEqual(before);
    expect(await helm.mustRun(['get', 'manifest', 'keyferry', '-n', SYSTEM])).toContain(
      'ClusterSecretBackend',
    );
    expect(await namesIn(`/apis/policy/v1/namespaces/${SYSTEM}/poddisruptionbudgets`)).toEqual(['keyferry']);
  });

  it('that is uninstalled leaves CRDs, what guards them, migrations, backends and Secrets', async () => {
    // The second version of Helm finds the migration that the first one left.
    await cluster.kubeClient.reply('POST', MIGRATION.replace(/\/move$/, ''), aMigration('move'));
    const before = await uidsOf(KEPT);
    await helm.mustRun(['uninstall', 'keyferry', '-n', SYSTEM]);
    expect(await uidsOf(KEPT)).toEqual(before);
    expect(await namesIn('/apis/rbac.authorization.k8s.io/v1/clusterroles')).toEqual([]);
    expect(await namesIn('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings')).toEqual([]);
    expect(await namesIn(`/apis/apps/v1/namespaces/${SYSTEM}/deployments`)).toEqual([]);
  });

  it('that is installed again adopts them, and its list of addresses is in force', async () => {
    const before = await uidsOf(KEPT);
    await helm.mustRun(['install', ...RELEASE, '--set=admission.allowedAddresses={https://other:1}']);
    expect(await uidsOf(KEPT)).toEqual(before);
    await untilAdmissionWorks(cluster, 'https://other:1');
    await helm.mustRun(['uninstall', 'keyferry', '-n', SYSTEM]);
    expect(await uidsOf(KEPT)).toEqual(before);
  });
});
