import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import { configFolder } from '#test/cluster/cluster.ts';
import { startNode, type Node } from '#test/cluster/node/node.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvPut, requestRun, rowsByName } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { Deployments } from './deployments.ts';

/* A value that is rotated in the KV server, and pods that use it: by a file without a restart, by a variable with one. */

const stage = useStage();
const INTERVAL_SECONDS = 5;
/** A change restarts what uses the Secret seconds later, also what was created since: each test has its own. */
const NAMES = ['file', 'login', 'marker'];

let node: Node;
let tenant: Tenant;
let deployments: Deployments;

const pathOf = (name: string): string => `${tenant.namespace}/${name}`;

beforeAll(async () => {
  const { cluster } = stage();
  const rights = await cluster.kubectl(['apply', '-k', join(configFolder(), 'rollouts', 'cluster')]);
  expect(rights.code, rights.stderr).toBe(0);
  node = await startNode(cluster, () => undefined);
  tenant = await stage().tenant();
  deployments = new Deployments(cluster, node, tenant.namespace);
  for (const name of NAMES) await kvPut(tenant, pathOf(name), { [name]: 'first' });
  const sync = {
    mode: 'Sync',
    sync: { intervalSeconds: INTERVAL_SECONDS },
    rollout: { restart: true },
  } as const;
  await tenant.apply(
    aMigration('sync', { from: 'bao', to: 'kubernetes', select: { names: NAMES }, ...sync }),
  );
  await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
});

afterAll(async () => {
  await deployments?.[Symbol.asyncDispose]();
  await node?.dispose();
});

/** Resolves when the Secret has the value; with the milliseconds that it took. */
async function untilInSecret(name: string, value: string): Promise<number> {
  const startedAt = performance.now();
  await eventually(`the Secret ${name} has the new value`, async () => {
    const secret = await tenant.secret(name);
    return Buffer.from(secret?.data?.[name] ?? '', 'base64').toString() === value;
  });
  return performance.now() - startedAt;
}

it('is in the Secret within the interval and a second, and in the file of the pod that mounts it', async () => {
  const pod = await node.runPod({ namespace: tenant.namespace, name: 'reads', volumes: ['file'] });
  await kvPut(tenant, pathOf('file'), { file: 'second' });
  // The API object: when the kubelet looks at it is not ours.
  expect(await untilInSecret('file', 'second')).toBeLessThan((INTERVAL_SECONDS + 1) * 1000);
  const isNew = async (): Promise<boolean> => (await pod.look()).files['file/file']?.toString() === 'second';
  await eventually('the kubelet has replaced the file', isNew, { deadlineMs: 60_000 });
  expect((await pod.look()).env).toEqual({});
  await pod.delete();
});

it('restarts the pod that opted in once, and never for equal bytes or for an operator that starts', async () => {
  const opted = { 'keyferry.io/restart-on-change': 'true' };
  await deployments.create('asked', ['login'], opted);
  await deployments.create('marks', ['marker'], opted);
  const before = { asked: await deployments.onlyPod('asked'), marks: await deployments.onlyPod('marks') };
  await kvPut(tenant, pathOf('login'), { login: 'second' });
  const after = await deployments.onlyPod('asked', before.asked);
  expect(await deployments.environmentOf(after)).toEqual({ KF_login: 'second' });

  await kvPut(tenant, pathOf('login'), { login: 'second' });
  await eventually('the version with equal bytes was seen', async () => {
    const { login } = await rowsByName(tenant, 'sync');
    return login?.source?.version === '3';
  });
  await stage().restartOperator();
  await requestRun(tenant, 'sync');
  // Its restart comes after all that would have been due before.
  await kvPut(tenant, pathOf('marker'), { marker: 'second' });
  await deployments.onlyPod('marks', before.marks);
  expect(await deployments.generationsOf('marks')).toBe(2);
  expect(await deployments.generationsOf('asked')).toBe(2);
  expect(await deployments.onlyPod('asked')).toBe(after);
});
