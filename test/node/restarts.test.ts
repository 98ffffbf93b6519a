import type { V1Pod, V1ReplicaSet, V1Secret } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { WORKLOAD_IMAGE, WORKLOAD_PROGRAM } from '#test/cluster/node/images.ts';
import { attachNode } from '#test/cluster/node/node.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { RunningRollouts } from '#test/support/running-rollouts.ts';

/* rollout.restart with real pods: what the controllers and the kubelet make of the annotation. */

const cluster = sharedCluster();
const { hasSeccomp } = attachNode(cluster);
let namespace: string;

beforeAll(async () => (namespace = await cluster.createNamespace('restarts')));
afterAll(async () => {
  // Else its controller makes a new pod for each one that ends with the node.
  await cluster.kubectl(['delete', 'deployments', '--all', '-n', namespace, '--cascade=foreground']);
  await cluster.deleteNamespace(namespace);
  await cluster.dispose();
});

const core = (plural: string): string => `/api/v1/namespaces/${namespace}/${plural}`;
const apps = (plural: string): string => `/apis/apps/v1/namespaces/${namespace}/${plural}`;

async function createSecret(name: string, token: string): Promise<void> {
  await cluster.kube('POST', core('secrets'), { metadata: { name }, stringData: { [name]: token } });
}

/** As another value is written; resolves with the version of it. */
async function rotate(name: string, token: string): Promise<string> {
  const type = { 'content-type': 'application/merge-patch+json' };
  const body = { stringData: { [name]: token } };
  const { metadata } = await cluster.kube<Stored<V1Secret>>(
    'PATCH',
    `${core('secrets')}/${name}`,
    body,
    type,
  );
  return metadata.resourceVersion;
}

/** One pod with both Secrets in its environment, which `KF_<name>` shows. */
async function deploy(name: string, annotations: object): Promise<void> {
  const container = {
    name: 'workload',
    image: WORKLOAD_IMAGE,
    imagePullPolicy: 'Never',
    envFrom: ['first', 'second'].map((secret) => ({ prefix: 'KF_', secretRef: { name: secret } })),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
  const securityContext = {
    runAsNonRoot: true,
    runAsUser: 65_532,
    ...(hasSeccomp ? { seccompProfile: { type: 'RuntimeDefault' } } : {}),
  };
  const template = {
    metadata: { labels: { app: name } },
    spec: {
      containers: [container],
      securityContext,
      dnsPolicy: 'Default',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
    },
  };
  const spec = { replicas: 1, selector: { matchLabels: { app: name } }, template };
  await cluster.kube('POST', apps('deployments'), { metadata: { name, annotations }, spec });
}

/** The only pod of a Deployment, once it runs and no other one is left; not this one. */
async function onlyPod(app: string, not?: string): Promise<string> {
  return await eventually(
    `one pod of ${app} runs`,
    async () => {
      const list = `${core('pods')}?labelSelector=app%3D${app}`;
      const [pod, ...others] = (await cluster.kube<StoredList<V1Pod>>('GET', list)).items;
      const isAlone = others.length === 0 && pod?.status?.phase === 'Running';
      return isAlone && pod.metadata.name !== not && pod.metadata.name;
    },
    { deadlineMs: 60_000 },
  );
}

async function environmentOf(pod: string): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await cluster.kubectl(['exec', '-n', namespace, pod, '--', WORKLOAD_PROGRAM, 'print']);
  const { env }: { env: Record<string, string> } = JSON.parse(stdout);
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]),
  );
}

async function generationsOf(app: string): Promise<number> {
  const list = `${apps('replicasets')}?labelSelector=app%3D${app}`;
  return (await cluster.kube<StoredList<V1ReplicaSet>>('GET', list)).items.length;
}

it('two Secrets that change together restart the pod that opted in once, and no other one', async () => {
  await createSecret('first', 'old-1');
  await createSecret('second', 'old-2');
  await deploy('asked', { 'keyferry.io/restart-on-change': 'true' });
  await deploy('not-asked', {});
  const before = { asked: await onlyPod('asked'), notAsked: await onlyPod('not-asked') };
  expect(await environmentOf(before.asked)).toEqual({ KF_first: 'old-1', KF_second: 'old-2' });

  await using rollouts = await RunningRollouts.start(cluster);
  const versions = [await rotate('first', 'new-1'), await rotate('second', 'new-2')] as const;
  rollouts.changed(namespace, 'first', versions[0]);
  rollouts.changed(namespace, 'second', versions[1]);
  const after = await onlyPod('asked', before.asked);
  expect(await environmentOf(after)).toEqual({ KF_first: 'new-1', KF_second: 'new-2' });

  // Told again, as after a restart of the operator: a new process has done its work when it has ended.
  {
    await using again = await RunningRollouts.start(cluster);
    again.changed(namespace, 'first', versions[0]);
    again.changed(namespace, 'second', versions[1]);
  }
  expect(await generationsOf('asked')).toBe(2);
  expect(await onlyPod('asked')).toBe(after);
  expect(await generationsOf('not-asked')).toBe(1);
  expect(await onlyPod('not-asked')).toBe(before.notAsked);
  expect(await environmentOf(before.notAsked)).toEqual({ KF_first: 'old-1', KF_second: 'old-2' });
});
