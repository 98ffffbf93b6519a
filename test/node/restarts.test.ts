import type { V1Secret } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Stored } from '#src/kube/wire.ts';
import { attachNode } from '#test/cluster/node/node.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { RunningRollouts } from '#test/support/running-rollouts.ts';
import { Deployments } from './deployments.ts';

/* rollout.restart with real pods: what the controllers and the kubelet make of the annotation. */

const cluster = sharedCluster();
const BOTH = ['first', 'second'];
let namespace: string;
let deployments: Deployments;

beforeAll(async () => {
  namespace = await cluster.createNamespace('restarts');
  deployments = new Deployments(cluster, attachNode(cluster), namespace);
});
afterAll(async () => {
  await deployments?.[Symbol.asyncDispose]();
  await cluster.deleteNamespace(namespace);
  await cluster.dispose();
});

const core = (plural: string): string => `/api/v1/namespaces/${namespace}/${plural}`;

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

it('two Secrets that change together restart the pod that opted in once, and no other one', async () => {
  await createSecret('first', 'old-1');
  await createSecret('second', 'old-2');
  await deployments.create('asked', BOTH, { 'keyferry.io/restart-on-change': 'true' });
  await deployments.create('not-asked', BOTH, {});
  const before = {
    asked: await deployments.onlyPod('asked'),
    notAsked: await deployments.onlyPod('not-asked'),
  };
  expect(await deployments.environmentOf(before.asked)).toEqual({ KF_first: 'old-1', KF_second: 'old-2' });

  await using rollouts = await RunningRollouts.start(cluster);
  const versions = [await rotate('first', 'new-1'), await rotate('second', 'new-2')] as const;
  rollouts.changed(namespace, 'first', versions[0]);
  rollouts.changed(namespace, 'second', versions[1]);
  const after = await deployments.onlyPod('asked', before.asked);
  expect(await deployments.environmentOf(after)).toEqual({ KF_first: 'new-1', KF_second: 'new-2' });

  // Told again, as after a restart of the operator: a new process has done its work when it has ended.
  {
    await using again = await RunningRollouts.start(cluster);
    again.changed(namespace, 'first', versions[0]);
    again.changed(namespace, 'second', versions[1]);
  }
  expect(await deployments.generationsOf('asked')).toBe(2);
  expect(await deployments.onlyPod('asked')).toBe(after);
  expect(await deployments.generationsOf('not-asked')).toBe(1);
  expect(await deployments.onlyPod('not-asked')).toBe(before.notAsked);
  expect(await deployments.environmentOf(before.notAsked)).toEqual({ KF_first: 'old-1', KF_second: 'old-2' });
});
