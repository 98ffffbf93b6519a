import { KINDS } from '#src/api/group.ts';
import { parseClusterSecretBackend, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { ClusterSecretBackend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { resourceOf } from '#src/app/clients.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { BackendLookup } from '#src/controllers/backend/lookup.ts';
import type { DriverPool } from '#src/controllers/backend/pool.ts';
import { BackendReconciler } from '#src/controllers/backend/reconcile.ts';
import type { BackendReferences, UnlistedBackends } from '#src/controllers/backend/trust-root.ts';
import type { MigrationParts } from '#src/controllers/migration/attempt.ts';
import { HalfRemoved } from '#src/controllers/migration/removals.ts';
import { RunningAttempts } from '#src/controllers/migration/running.ts';
import { NAMESPACE_INDEX } from '#src/controllers/projections.ts';
import { Following } from '#src/controllers/sync/following.ts';
import { SecretUses } from '#src/controllers/uses/secret-uses.ts';
import type { Lister } from '#src/controllers/uses/user-lists.ts';
import { LiveMigrations } from '#src/engine/crossings.ts';
import { documentation } from '#src/errors/documentation.ts';
import { setBy, type ServerClock } from '#src/io/server-clock.ts';
import type { KubeClient } from '#src/kube/client.ts';
import type { Clock } from '#src/ports.ts';
import { ApiLists } from '#src/runtime/api-lists.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { StatusWriter } from '#src/runtime/status-patch.ts';
import { objectKey, Store } from '#src/runtime/store.ts';
import { NO_METRICS } from '../no-metrics.ts';
import type { ClusterBackends } from './cluster-backends.ts';
import { NO_LOG } from './no-log.ts';
import type { LocalObjects } from './objects.ts';

export interface LocalParts {
  /** That of the cluster; undefined if no end needs one. */
  readonly client: KubeClient | undefined;
  readonly objects: LocalObjects;
  readonly pool: DriverPool;
  readonly migration: SecretMigration;
  readonly backends: readonly Backend[];
  /** Backends of operators in the cluster whose Secrets an end has. */
  readonly inCluster: ClusterBackends;
  readonly clock: Clock;
  /** That of the API server, if an end needs one; it tells nothing otherwise. */
  readonly serverClock: ServerClock;
}

/** Documents at once, as the operator without flags. */
const CONCURRENT_DOCUMENTS = 32;
/** A person watches the progress. */
const STATUS_INTERVAL_MS = 500;
const WAITING_RETRY_MS = 30_000;
/** Who lists what uses Secrets: the person, with the own rights. */
const A_PERSON: Lister = {
  who: 'You',
  hint: 'Ask an administrator for the right, or set spec.removal.inUse to Ignore.',
};
/** Events are for those who did not start the run: here the rows and conditions tell it. */
const NO_EVENTS = { record: () => undefined };

/** What one reconcile of the migration needs: the parts of the operator, over the objects of this process. */
export function migrationPartsOf(local: LocalParts): MigrationParts {
  const { objects, pool, serverClock } = local;
  const clock = setBy(serverClock, local.clock);
  const resource = resourceOf('SecretMigration');
  const stores = storesOf(local.backends);
  return {
    migrations: new ObjectClient(objects, resource),
    backends: new BackendLookup({
      backends: new ObjectClient(objects, resourceOf('SecretBackend')),
      clusterBackends: new ObjectClient(objects, resourceOf('ClusterSecretBackend')),
      ...stores,
    }),
    reports: new ObjectClient(objects, resourceOf('SecretMigrationReport')),
    attempts: new RunningAttempts(),
    cache: new Store(),
    // Those of operators in the cluster: what they claimed is theirs.
    knowsAllMigrations: false,
    references: referencesOf(local),
    pool,
    // Without a cluster no end has Secrets, and nobody is asked who uses them.
    uses: new SecretUses({ clock, lists: new ApiLists(local.client ?? objects, clock), lister: A_PERSON }),
    status: {
      writer: new StatusWriter({ client: objects, resource }),
      events: NO_EVENTS,
      metrics: NO_METRICS,
      clock,
      intervalMs: STATUS_INTERVAL_MS,
    },
    live: new LiveMigrations(),
    mandate: ALWAYS_HELD,
    halfRemoved: new HalfRemoved(),
    unsaved: new WeakMap(),
    following: new Following({
      clock,
      random: Math.random,
      metrics: NO_METRICS,
      kinds: BACKEND_KINDS,
      watchesSecrets: false,
      polls: { addAfter: () => undefined },
      wake: () => undefined,
    }),
    rollouts: { secretChanged: () => undefined },
    clock,
    serverTime: serverClock,
    concurrentDocuments: CONCURRENT_DOCUMENTS,
    waitingRetryMs: WAITING_RETRY_MS,
    isAwaited: () => false,
  };
}

/** Probes one backend, and publishes what it found in its status. Throws what the probe throws. */
export async function probeBackend(local: LocalParts, backend: Backend, signal: AbortSignal): Promise<void> {
  const { clock, objects, pool } = local;
  const { kind, metadata } = backend;
  const resource = resourceOf(kind);
  const reconciler = new BackendReconciler({
    backends: new ObjectClient(objects, resource),
    kind,
    parse: kind === 'SecretBackend' ? parseSecretBackend : parseClusterSecretBackend,
    clusterCache: storesOf(local.backends).clusterCache,
    pool,
    // Credentials are read at the first request.
    credentials: { haveChanged: async () => false, forget: () => undefined },
    writer: new StatusWriter({ client: objects, resource }),
    events: NO_EVENTS,
    kinds: BACKEND_KINDS,
    clock,
    random: Math.random,
    probeIntervalMs: 0,
  });
  const context = { reconcileId: metadata.uid, signal, logger: NO_LOG };
  await reconciler.reconcile(objectKey(metadata), context);
}

interface Stores {
  readonly cache: Store<SecretBackend>;
  readonly clusterCache: Store<ClusterSecretBackend>;
}

function storesOf(backends: readonly Backend[]): Stores {
  const cache = new Store<SecretBackend>(NAMESPACE_INDEX);
  const clusterCache = new Store<ClusterSecretBackend>();
  for (const backend of backends)
    if (backend.kind === 'SecretBackend') cache.set(backend);
    else clusterCache.set(backend);
  return { cache, clusterCache };
}

/**
 * The Secrets that backends read: those of the file, which are for the same objects in a cluster, and those of operators that
 * the cluster has. In which namespace such an operator reads is not known, so all their names count.
 */
function referencesOf({ backends, inCluster, migration }: LocalParts): BackendReferences {
  const unparsed = { backends: new Map(), clusterBackends: new Map() };
  for (const metadata of inCluster.unparsed)
    unparsed[metadata.namespace === undefined ? 'clusterBackends' : 'backends'].set(
      objectKey(metadata),
      metadata,
    );
  return {
    ...storesOf([...backends, ...inCluster.backends]),
    unparsed,
    unlistedBackends: () => unlistedIn(inCluster, migration.metadata.namespace),
    clusterResourceNamespace: migration.metadata.namespace,
    kinds: BACKEND_KINDS,
  };
}

/** What the person lacks. Without the right to list them, every source is kept. */
function unlistedIn({ unlisted }: ClusterBackends, namespace: string): UnlistedBackends | undefined {
  if (unlisted.length === 0) return undefined;
  const kinds = unlisted.map((kind) => `${kind}s`).join(' and ');
  const roles = unlisted.map((kind) =>
    KINDS[kind].namespaced ? `keyferry-view in the namespace ${namespace}` : 'keyferry-cluster-view',
  );
  return {
    lacks: `you may not list ${kinds}`,
    hint: `Ask an administrator for the ClusterRole ${roles.join(' and ')}: ${documentation('security/rbac.md')}.`,
  };
}
