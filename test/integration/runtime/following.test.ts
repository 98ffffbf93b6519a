import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { Following } from '#src/controllers/sync/following.ts';
import type { KubeObject } from '#src/kube/client.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { ChangeFeed } from '#src/runtime/change-feed.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { aSecret } from '#test/builders/objects.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { aSyncMigration, inStep, intentOf } from '#test/support/followed.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { aReadyBackend } from '#test/support/sync-rig.ts';
import { openAdminClient } from './real-client.ts';

let cluster: Cluster;
let client: HttpKubeClient;
let namespace: string;

beforeAll(async () => {
  cluster = sharedCluster();
  client = await openAdminClient(cluster);
});

afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await cluster.dispose();
});

beforeEach(async () => (namespace = await cluster.createNamespace('following')));

/** A watch of the Secrets of the namespace, and a migration that follows all of them. */
async function follow(stop: AbortSignal) {
  const feed = new ChangeFeed({
    client,
    selection: {
      resource: { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true },
      namespace,
      metadataOnly: true,
      labels: true,
    },
    clock: systemClock,
    random: Math.random,
    logger: new RecordedLog(),
    metrics: new RecordedMetrics(),
  });
  const woken: string[] = [];
  const following = new Following({
    clock: systemClock,
    random: Math.random,
    metrics: new RecordedMetrics(),
    kinds: BACKEND_KINDS,
    watchesSecrets: true,
    polls: { addAfter: () => undefined },
    wake: (key) => void woken.push(key),
  });
  const told: string[] = [];
  feed.addListener({
    changed: (secret, exists) => {
      following.onSecret(secret, exists);
      told.push(secret.metadata.resourceVersion);
    },
    missed: (gap) => following.onMissed(gap),
  });
  const running = feed.run(stop);
  await feed.synced;
  const migration = aSyncMigration(
    { select: { labelSelector: { matchLabels: { team: 'core' } } } },
    { namespace },
  );
  const backends = {
    source: aReadyBackend('kubernetes', namespace),
    destination: aReadyBackend('bao', namespace),
  };
  using pass = following.beginPass(migration);
  const followed = following.begin(migration, { backends, intent: intentOf(migration), outcomes: [], pass });
  return { followed, running, told, woken };
}

test('the watch of Secrets names each document that changed, joined or left, and none that was written by the operator', async () => {
  const stop = new AbortController();
  const { followed, running, told, woken } = await follow(stop.signal);
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  const patch = async (name: string, body: object) =>
    cluster.kube<KubeObject>('PATCH', `${path}/${name}`, body, {
      'content-type': 'application/merge-patch+json',
    });
  const rowOf = ({ metadata: { name, resourceVersion: version, uid: identity } }: KubeObject) => ({
    ...inStep(name, '', '1'),
    source: { version, identity },
  });
  const changed = async (what: string): Promise<ReadonlySet<string>> => {
    await eventually(what, () => followed.isDirty);
    return followed.take();
  };

  await cluster.kube('POST', path, aSecret('other', { k: '1' }));
  const created = await cluster.kube<KubeObject>(
    'POST',
    path,
    aSecret('a', { k: '1' }, { labels: { team: 'core' } }),
  );
  expect(await changed('a new Secret that is selected is seen')).toEqual(new Set(['a']));
  followed.remember([rowOf(created)], 'some');

  const written = await patch('a', { stringData: { k: 'ours' } });
  followed.remember([rowOf(written)], 'some');
  const { resourceVersion } = written.metadata;
  await eventually('the watch tells of the own write', () => told.includes(resourceVersion));
  expect(followed.isDirty).toBe(false);

  await patch('a', { stringData: { k: 'theirs' } });
  expect(await changed('the edit is seen')).toEqual(new Set(['a']));
  followed.putBack(['a']);
  await patch('a', { metadata: { labels: { team: null } } });
  await eventually('the Secret has left the selection', () => followed.hasLeft('a'));
  followed.leaveOut(followed.take());
  await patch('a', { metadata: { labels: { team: 'core' } } });
  expect(await changed('the Secret has joined again')).toEqual(new Set(['a']));
  await cluster.kube('DELETE', `${path}/a`);
  expect(await changed('the Secret is gone')).toEqual(new Set(['a']));
  expect(new Set(woken)).toEqual(new Set([`${namespace}/m`]));
  stop.abort();
  await running;
});
