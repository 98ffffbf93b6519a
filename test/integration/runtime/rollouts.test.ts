import type { V1Deployment } from '@kubernetes/client-node';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stored } from '#src/kube/wire.ts';
import { configFolder, OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { RunningRollouts } from '#test/support/running-rollouts.ts';

/* What a restart changes on a real API server, and what the API server says without the right. */

const cluster = sharedCluster();
const RESTART = { 'keyferry.io/restart-on-change': 'true' };
const ROLE = join(configFolder(), 'rollouts', 'role');
let namespace: string;

beforeAll(async () => (namespace = await cluster.createNamespace('rollouts')));
afterAll(async () => {
  await cluster.kubectl(['delete', '-k', ROLE]);
  await cluster.dispose();
});

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

describe('with the right, the operator', () => {
  const OPERATOR = `--as=system:serviceaccount:${OPERATOR_ACCOUNT.namespace}:${OPERATOR_ACCOUNT.name}`;
  const RESTARTED = { annotations: { 'keyferry.io/restarted-for': '{"db":"7"}' } };
  const patchAs = async (user: string, name: string, patch: object): Promise<string> => {
    const args = [
      'patch',
      'deployment',
      name,
      '-n',
      namespace,
      '--type=merge',
      '-p',
      JSON.stringify(patch),
      user,
    ];
    return (await cluster.kubectl(args)).stderr;
  };
  const container = (more: object) => ({ template: { spec: { containers: [{ name: 'main', ...more }] } } });

  beforeAll(async () => {
    await cluster.kubectl(['apply', '-k', ROLE]);
    const role = ['create', 'rolebinding', 'operator', '--clusterrole=keyferry-rollouts'];
    const subject = `--serviceaccount=${OPERATOR_ACCOUNT.namespace}:${OPERATOR_ACCOUNT.name}`;
    await cluster.kubectl([...role, subject, '-n', namespace]);
    await create('deployments', 'opted-in', ['db']);
    await create('deployments', 'opted-out', ['db'], {});
    await eventually('the policy is in force', async () => {
      const said = await patchAs(OPERATOR, 'opted-out', { spec: { template: { metadata: RESTARTED } } });
      return said.includes('may only restart workloads with the annotation');
    });
  });

  it('may restart workloads of each kind that opted in', async () => {
    const names = { deployments: 'opted-in', statefulsets: 'set', daemonsets: 'daemon' } as const;
    await create('statefulsets', names.statefulsets, ['db']);
    await create('daemonsets', names.daemonsets, ['db']);
    {
      await using rollouts = await RunningRollouts.start(cluster, OPERATOR_ACCOUNT);
      rollouts.changed(namespace, 'db', '105');
    }
    for (const [plural, name] of Object.entries(names))
      expect(restartedFor(await read(plural, name)), plural).toBe('{"db":"105"}');
  });

  it('may not change the image of a DaemonSet, either', async () => {
    const patch = JSON.stringify({ spec: container({ image: 'registry.example/other:1' }) });
    const args = ['patch', 'daemonset', 'daemon', '-n', namespace, '-p', patch, OPERATOR];
    expect((await cluster.kubectl(args)).stderr).toContain('may only change the annotation');
  });

  it.each<readonly [what: string, patch: object]>([
    ['its image', { spec: container({ image: 'registry.example/other:1' }) }],
    ['its service account', { spec: { template: { spec: { serviceAccountName: 'other' } } } }],
    ['its replicas', { spec: { replicas: 0 } }],
    ['its strategy', { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } }],
    ['whether it is paused', { spec: { paused: true } }],
    ['another annotation of its pods', { spec: { template: { metadata: { annotations: { other: 'a' } } } } }],
    ['an annotation of its pods away', { spec: { template: { metadata: { annotations: { own: null } } } } }],
    ['a label of its pods', { spec: { template: { metadata: { labels: { other: 'a' } } } } }],
    ['its own labels', { metadata: { labels: { other: 'a' } } }],
    ['its opt-in', { metadata: { annotations: { 'keyferry.io/restart-on-change': null } } }],
    ['its finalizers', { metadata: { finalizers: ['example.com/held'] } }],
  ])('may not change %s', async (_what, patch) => {
    expect(await patchAs(OPERATOR, 'opted-in', patch)).toContain('may only change the annotation');
  });

  it('is the only one that this is about', async () => {
    expect(await patchAs('--request-timeout=10s', 'opted-out', { spec: { paused: true } })).toBe('');
  });
});
