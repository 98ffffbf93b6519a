import type { V1Deployment } from '@kubernetes/client-node';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stored } from '#src/kube/wire.ts';
import { configFolder } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { RunningRollouts } from '#test/support/running-rollouts.ts';

/* What a restart changes on a real API server, and what the API server says without the right. */

const cluster = sharedCluster();
const RESTART = { 'keyferry.io/restart-on-change': 'true' };
const ROLE = join(configFolder(), 'rollouts', 'role');
let namespace: string;

beforeAll(async () => (namespace = await cluster.createNamespace('rollouts')));
afterAll(async () => cluster.dispose());

const pathOf = (plural: string): string => `/apis/apps/v1/namespaces/${namespace}/${plural}`;

/** A workload whose pods take their environment from these Secrets, and a variable of its own. */
async function create(
  plural: string,
  name: string,
  secrets: readonly string[],
  annotations: object = RESTART,
) {
  const labels = { app: name };
  const envFrom = secrets.map((each) => ({ secretRef: { name: each } }));
  const container = {
    name: 'main',
    image: 'registry.example/main:1',
    envFrom,
    env: [{ name: 'A', value: 'b' }],
  };
  const template = { metadata: { labels, annotations: { own: 'stays' } }, spec: { containers: [container] } };
  const more = plural === 'statefulsets' ? { serviceName: name } : {};
  const spec = { selector: { matchLabels: labels }, template, ...more };
  await cluster.kube('POST', pathOf(plural), { metadata: { name, annotations }, spec });
}

/** Specs of the three kinds are alike in what is looked at. */
async function read(plural: string, name: string): Promise<Stored<V1Deployment>> {
  return await cluster.kube('GET', `${pathOf(plural)}/${name}`);
}

function restartedFor({ spec }: Stored<V1Deployment>): string | undefined {
  return spec?.template.metadata?.annotations?.['keyferry.io/restarted-for'];
}

async function eventsOf(name: string) {
  const path = `/apis/events.k8s.io/v1/namespaces/${namespace}/events?fieldSelector=regarding.name%3D${name}`;
  const { items } = await cluster.kube<{ items: { type: string; reason: string; note: string }[] }>(
    'GET',
    path,
  );
  return items.map(({ type, reason, note }) => ({ type, reason, note }));
}

describe('a restart', () => {
  it('is one change of the pod template of each kind, owned by keyferry, and tells the workload', async () => {
    await create('deployments', 'web', ['db', 'tls']);
    await create('statefulsets', 'queue', ['db']);
    await create('daemonsets', 'agent', ['tls']);
    await create('deployments', 'not-asked', ['db'], {});
    const before = await read('deployments', 'web');
    {
      await using rollouts = await RunningRollouts.start(cluster);
      rollouts.changed(namespace, 'db', '101');
      rollouts.changed(namespace, 'tls', '102');
      await eventually('the last kind restarts', async () => {
        return restartedFor(await read('daemonsets', 'agent')) !== undefined;
      });
    }
    const web = await read('deployments', 'web');
    expect(restartedFor(web)).toBe('{"db":"101","tls":"102"}');
    expect(web.metadata.generation).toBe((before.metadata.generation ?? 0) + 1);
    const annotations = { own: 'stays', 'keyferry.io/restarted-for': restartedFor(web) };
    const { metadata: meta, ...template } = before.spec?.template ?? {};
    expect(web.spec).toEqual({
      ...before.spec,
      template: { ...template, metadata: { ...meta, annotations } },
    });
    expect(web.metadata.annotations?.['keyferry.io/restart-on-change']).toBe('true');
    expect(web.metadata.managedFields?.map(({ manager }) => manager)).toContain('keyferry');
    expect(restartedFor(await read('statefulsets', 'queue'))).toBe('{"db":"101"}');
    expect(restartedFor(await read('deployments', 'not-asked'))).toBeUndefined();
    const note = 'Restarts, because Secrets that it uses changed: db, tls.';
    expect(await eventsOf('web')).toEqual([{ type: 'Normal', reason: 'SecretChanged', note }]);
  });

  it('is not repeated by another process that hears of the same versions', async () => {
    await create('deployments', 'once', ['db']);
    for (const _start of [1, 2]) {
      await using rollouts = await RunningRollouts.start(cluster);
      rollouts.changed(namespace, 'db', '101');
    }
    expect((await read('deployments', 'once')).metadata.generation).toBe(2);
  });
});

describe('without the right', () => {
  const tell = async (name: string, revision: string): Promise<void> => {
    await using rollouts = await RunningRollouts.start(cluster, { namespace, name: 'default' });
    rollouts.changed(namespace, name, revision);
  };
  const bind = async (name: string, role: string): Promise<void> => {
    const subject = `--serviceaccount=${namespace}:default`;
    await cluster.kubectl(['create', 'rolebinding', name, role, subject, '-n', namespace]);
  };

  it('nothing restarts, and the migration is told what to grant', async () => {
    await create('deployments', 'forbidden', ['cache']);
    const role = ['create', 'role', 'events', '--verb=create,patch', '--resource=events.events.k8s.io'];
    await cluster.kubectl([...role, '-n', namespace]);
    await bind('events', '--role=events');
    const [warning] = await eventually('the right to write events counts', async () => {
      await tell('cache', '103');
      const events = await eventsOf('follow');
      return events.length > 0 && events;
    });
    expect(warning).toMatchObject({ type: 'Warning', reason: 'RestartForbidden' });
    expect(warning?.note).toContain(`may not list deployments.apps in the namespace ${namespace}.`);
    expect(warning?.note).toContain('Set rollout.enabled of the chart');
    expect(restartedFor(await read('deployments', 'forbidden'))).toBeUndefined();
  });

  it('it restarts with the role of config/rollouts, which is enough', async () => {
    await create('deployments', 'granted', ['cache']);
    await cluster.kubectl(['apply', '-k', ROLE]);
    await bind('rollouts', '--clusterrole=keyferry-rollouts');
    await eventually('the binding counts', async () => {
      await tell('cache', '104');
      return restartedFor(await read('deployments', 'granted')) === '{"cache":"104"}';
    });
  });
});
