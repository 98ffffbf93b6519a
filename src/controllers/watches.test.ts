import { describe, expect, it } from 'vitest';
import type { ClusterSecretBackend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { BackendRegistry } from '#src/backends/registry.ts';
import type { KubeObject } from '#src/kube/client.ts';
import type { ChangeListener } from '#src/runtime/change-feed.ts';
import type { Watched } from '#src/runtime/informer.ts';
import { Store } from '#src/runtime/store.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { aReadyBackend, aWatchedSecret, SyncRig } from '#test/support/sync-rig.ts';
import { DriverPool } from './backend/pool.ts';
import { RunningAttempts } from './migration/running.ts';
import { NAMESPACE_INDEX } from './projections.ts';
import { createQueues } from './queues.ts';
import { connectWatches } from './watches.ts';

function quiet<T extends KubeObject>(store: Store<T>): Watched<T> {
  const synced = Promise.resolve();
  const nothing = { addHandler: () => undefined, run: async () => synced };
  return { store, unparsed: new Map(), synced, hasSynced: true, ...nothing };
}

/** The watch of Secrets of an operator with two backends in each of two namespaces: `bao` reads the Secret `bao-token`. */
function aWatch(rig: SyncRig) {
  const clock = new ManualClock();
  const metrics = new RecordedMetrics();
  const backends = new Store<SecretBackend>(NAMESPACE_INDEX);
  for (const namespace of ['ns', 'other'])
    for (const name of ['kubernetes', 'bao'] as const) backends.set(aReadyBackend(name, namespace));
  const clusterBackends = new Store<ClusterSecretBackend>();
  const queues = createQueues({ concurrentMigrations: 4, probeIntervalSeconds: 60, clock, metrics });
  const listeners: ChangeListener[] = [];
  const guard = { clock, random: () => 0.5, metrics };
  const retired: string[] = [];
  class Pool extends DriverPool {
    override async retire(uid: string): Promise<void> {
      retired.push(uid);
      return Promise.resolve();
    }
  }
  const closed = { clusterResourceNamespace: 'keyferry', closedNamespaces: [], kinds: BACKEND_KINDS };
  connectWatches({
    migrations: quiet(new Store<SecretMigration>(NAMESPACE_INDEX)),
    backends: quiet(backends),
    clusterBackends: quiet(clusterBackends),
    secrets: { addListener: (each) => void listeners.push(each) },
    queues,
    references: {
      cache: backends,
      clusterCache: clusterBackends,
      unparsed: { backends: new Map(), clusterBackends: new Map() },
      unlistedBackends: () => undefined,
      clusterResourceNamespace: 'keyferry',
      kinds: BACKEND_KINDS,
    },
    pool: new Pool({ registry: new BackendRegistry([], { guard }), ...closed }),
    attempts: new RunningAttempts(),
    following: rig.following,
    logger: new RecordedLog(),
  });
  const [listener] = listeners;
  if (listener === undefined) throw new Error('nothing listens to Secrets');
  return { listener, retired };
}

describe('the watch of Secrets', () => {
  it('opens the backends again that read the Secret, and no other', async () => {
    await using rig = new SyncRig();
    const { listener, retired } = aWatch(rig);
    listener.changed(aWatchedSecret('bao-token', '2'), true);
    listener.changed(aWatchedSecret('another', '2'), true);
    expect(retired).toEqual(['ns bao']);
    listener.changed(aWatchedSecret('bao-token', '2'), false);
    expect(retired).toEqual(['ns bao', 'ns bao']);
  });

  it('opens each backend again that reads one of those whose changes can have been missed', async () => {
    await using rig = new SyncRig();
    const { listener, retired } = aWatch(rig);
    listener.missed('other');
    expect(retired).toEqual(['other bao']);
    listener.missed(undefined);
    expect(retired).toEqual(['other bao', 'ns bao', 'other bao']);
  });
});
