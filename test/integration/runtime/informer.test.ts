import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { Informer } from '#src/runtime/informer.ts';
import type { Selection } from '#src/runtime/listing.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { ObservedKubeClient, openAdminClient } from './real-client.ts';

const configMaps = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
const secrets = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const LABEL = 'keyferry-test';

interface Running {
  readonly informer: Informer<KubeObject>;
  readonly metrics: RecordedMetrics;
  readonly story: string[];
  readonly stop: () => Promise<void>;
}

function run(client: KubeClient, selection: Selection, pageSize = 500): Running {
  const metrics = new RecordedMetrics();
  const informer = new Informer<KubeObject>({
    client,
    selection,
    pageSize,
    metrics,
    project: (object) => object,
    indexes: { namespace: (object) => [object.metadata.namespace ?? ''] },
    clock: systemClock,
    random: Math.random,
    logger: new RecordedLog(),
  });
  const story: string[] = [];
  informer.addHandler(({ old, current }) => {
    const verb = old === undefined ? 'add' : current === undefined ? 'delete' : 'update';
    story.push(`${verb} ${(current ?? old)?.metadata.name ?? ''}`);
  });
  const stopping = new AbortController();
  const running = informer.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  return { informer, metrics, story, stop };
}

let cluster: Cluster;
let client: HttpKubeClient;
let namespace: string;
let running: Running | undefined;

beforeAll(async () => {
  cluster = sharedCluster();
  client = await openAdminClient(cluster);
});

afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await cluster.dispose();
});

beforeEach(async () => (namespace = await cluster.createNamespace('informer')));

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const path = (plural: string, name?: string): string =>
  `/api/v1/namespaces/${namespace}/${plural}${name === undefined ? '' : `/${name}`}`;

const create = async (name: string): Promise<unknown> =>
  await cluster.kube('POST', path('configmaps'), {
    metadata: { name, labels: { [LABEL]: 'yes' } },
    data: { a: '1' },
  });

const selection = (): Selection => ({ resource: configMaps, namespace, labelSelector: LABEL });

describe('an informer on a real API server', () => {
  test('lists in pages of one consistent state', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `page-${String(index).padStart(2, '0')}`);
    await Promise.all(names.map(create));
    const observed = new ObservedKubeClient(client);
    running = run(observed, selection(), 10);
    await running.informer.synced;
    expect([...running.informer.store.values()].map((object) => object.metadata.name).sort()).toEqual(names);
    expect(observed.requests.map((request) => request.query?.['limit'])).toEqual(['10', '10', '10']);
    expect(observed.requests.map((request) => request.query?.['continue'] !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
    expect(running.informer.store.byIndex('namespace', namespace)).toHaveLength(25);
  });

  test('follows additions, changes, deletions and objects that leave the selection', async () => {
    await create('before');
    running = run(client, selection());
    await running.informer.synced;
    await create('after');
    await cluster.kube(
      'PATCH',
      path('configmaps', 'after'),
      { data: { a: '2' } },
      { 'content-type': 'application/merge-patch+json' },
    );
    await cluster.kube('DELETE', path('configmaps', 'after'));
    await cluster.kube(
      'PATCH',
      path('configmaps', 'before'),
      { metadata: { labels: { [LABEL]: null } } },
      { 'content-type': 'application/merge-patch+json' },
    );
    const { story, informer } = running;
    const expected = ['add before', 'add after', 'update after', 'delete after', 'delete before'];
    await eventually('all changes are seen', () => story.length === expected.length);
    expect(story).toEqual(expected);
    expect(informer.store.size).toBe(0);
  });

  test('of Secrets keeps metadata only, also where kubectl apply has left the values in an annotation', async () => {
    const manifest = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'applied', namespace },
      stringData: { password: 'hunter2-canary' },
    };
    const applied = await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) });
    expect(applied.code).toBe(0);
    running = run(client, { resource: secrets, namespace, metadataOnly: true });
    await running.informer.synced;
    const seen = running.informer;
    await cluster.kube('POST', path('secrets'), {
      metadata: { name: 'watched' },
      stringData: { password: 'hunter2-canary' },
    });
    await eventually('the watched one is cached', () => seen.store.size === 2);
    const cached = JSON.stringify([...seen.store.values()]);
    expect(cached).not.toMatch(/canary|hunter|"data"|managedFields|last-applied/);
    expect(seen.store.get(`${namespace}/applied`)).toMatchObject({ apiVersion: 'v1', kind: 'Secret' });
    expect(seen.store.get(`${namespace}/watched`)).toMatchObject({ apiVersion: 'v1', kind: 'Secret' });
  });

  test('keeps trying for a kind that is not served, and is not synced meanwhile', async () => {
    const missing = {
      group: 'nowhere.example',
      version: 'v1',
      plural: 'things',
      kind: 'Thing',
      namespaced: true,
    };
    running = run(client, { resource: missing });
    const { metrics, informer } = running;
    await eventually(
      'it has failed twice',
      () => (metrics.value('keyferry_informer_failures_total', { resource: 'things' }) ?? 0) >= 2,
    );
    expect(informer.hasSynced).toBe(false);
  });
});

describe('an informer whose API server is killed', () => {
  let cluster: Cluster;
  let client: HttpKubeClient;
  let namespace: string;

  beforeAll(async () => {
    cluster = await startCluster();
    client = await openAdminClient(cluster);
  });

  afterAll(async () => {
    await client[Symbol.asyncDispose]();
    await cluster.dispose();
  });

  beforeEach(async () => (namespace = await cluster.createNamespace('killed')));

  const create = async (name: string): Promise<unknown> =>
    await cluster.kube('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      metadata: { name, labels: { [LABEL]: 'yes' } },
    });
  const selection = (): Selection => ({ resource: configMaps, namespace, labelSelector: LABEL });

  test('goes on where it was when the server is back', async () => {
    const { informer, story, metrics, stop } = run(client, selection());
    await informer.synced;
    await create('before');
    await eventually('the first is seen', () => story.length === 1);
    await cluster.kill('apiserver');
    const failures = (): number =>
      metrics.value('keyferry_informer_failures_total', { resource: 'configmaps' }) ?? 0;
    await eventually('the loss is noticed', () => failures() >= 2);
    await cluster.restart('apiserver');
    await create('after');
    await eventually('the second is seen', () => story.length === 2, { deadlineMs: 60_000 });
    expect(story).toEqual(['add before', 'add after']);
    await stop();
  });

  test('lists again when its version is older than what the server remembers', async () => {
    await create('one');
    // A restarted server remembers nothing from before its start: version 1 is 410 Gone there.
    await cluster.kill('apiserver');
    await cluster.restart('apiserver');
    const observed = new ObservedKubeClient(client, (request, nth) =>
      nth === 1 ? { ...request, query: { ...request.query, resourceVersion: '1' } } : request,
    );
    const { story, metrics, stop } = run(observed, selection());
    await eventually('the second watch is open', () => observed.watches.length === 2);
    await create('two');
    await eventually('the new object is seen', () => story.length === 2);
    expect(story).toEqual(['add one', 'add two']);
    expect(metrics.value('keyferry_informer_lists_total', { resource: 'configmaps' })).toBe(2);
    await stop();
  });
});
