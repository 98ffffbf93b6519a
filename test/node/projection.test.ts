import { afterAll, beforeAll, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { startNode, type Node } from '#test/cluster/node/node.ts';
import type { RunningPod } from '#test/cluster/node/pod.ts';
import { kvData, pathOf, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';

/* mcpctl #51, its open box, with pods in place of a promise: what they resolve is the same all along. */

const stage = useStage();
const LOGIN = { username: 'app', password: 'päss\nword ' };

let node: Node;
let tenant: Tenant;

beforeAll(async () => {
  node = await startNode(stage().cluster, () => undefined);
  tenant = await stage().tenant();
  await tenant.apply({
    ...aSecret('login', LOGIN, { labels: { app: 'web' } }),
    type: 'kubernetes.io/basic-auth',
  });
});

afterAll(async () => {
  await node?.dispose();
});

async function aWorkload(name: string): Promise<RunningPod> {
  return await node.runPod({
    namespace: tenant.namespace,
    name,
    env: { KF_PASSWORD: { secret: 'login', key: 'password' } },
    envFrom: ['login'],
    volumes: ['login'],
  });
}

it('pods that start before, during and after a projection to OpenBao print the same', async () => {
  const username = Buffer.from(LOGIN.username);
  const password = Buffer.from(LOGIN.password);
  const same = {
    env: { KF_PASSWORD: password, KF_password: password, KF_username: username },
    files: { 'login/username': username, 'login/password': password },
  };
  const before = await aWorkload('before');
  expect(before.printed).toEqual(same);

  // Held where it is half done: the value is in OpenBao, and the Secret is not marked yet.
  const release = Promise.withResolvers<void>();
  const mark = stage().api.onRequest(
    ({ method, path }) => method === 'PATCH' && path.endsWith('/secrets/login'),
    { kind: 'hold', until: release.promise },
  );
  await tenant.apply(aMigration('project', { sourcePolicy: 'Project' }));
  await eventually('the projection is half done', () => mark.hits > 0);
  expect(await kvData(tenant, pathOf(tenant, 'login'))).toEqual(LOGIN);
  const during = await aWorkload('during');
  mark.remove();
  release.resolve();
  await tenant.untilReady('project');
  expect(await statesOf(tenant, 'project')).toEqual({ login: 'Verified Projected' });
  const after = await aWorkload('after');

  for (const pod of [before, during, after]) {
    expect(pod.printed, pod.name).toEqual(same);
    expect(await pod.look(), pod.name).toEqual(same);
  }
});
