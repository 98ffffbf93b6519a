import {
  asksToBeDefault,
  type Backend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { BackendRef, SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import { secretReferencesOf } from '#src/backends/spec.ts';
import type { Logger, Metrics } from '#src/ports.ts';
import type { Change, Informer } from '#src/runtime/informer.ts';
import type { WorkQueue } from '#src/runtime/queue.ts';
import { objectKey, type CachedObject } from '#src/runtime/store.ts';
import { namespaceOf } from './backend/names.ts';
import { readyOf } from './conditions.ts';
import type { DriverPool } from './driver-pool.ts';

export interface Watches {
  readonly migrations: Informer<SecretMigration>;
  readonly backends: Informer<SecretBackend>;
  readonly clusterBackends: Informer<ClusterSecretBackend>;
  /** Metadata only: values never sit in a cache. */
  readonly secrets: Informer<CachedObject>;
  readonly migrationQueue: WorkQueue;
  readonly backendQueue: WorkQueue;
  readonly clusterBackendQueue: WorkQueue;
  /** Where the Secrets are that ClusterSecretBackends refer to. */
  readonly clusterResourceNamespace: string;
  /** Tell which Secrets a backend reads. */
  readonly kinds: readonly BackendKind[];
  readonly pool: DriverPool;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/**
 * Which event wakes which key:
 *
 *   SecretMigration  its spec, annotations or deletion   → the migration (its own status writes wake nobody)
 *   a backend        its spec                            → the backend, with a new driver
 *                    whether it asks to be the default   → all that ask for it
 *                    Ready, or it appeared or went       → the migrations that refer to it
 *   Secret           one that a backend reads            → that backend, with a new driver
 */
export function connectWatches(watches: Watches): void {
  watches.migrations.addHandler((change) => onMigration(watches, change));
  watches.backends.addHandler((change) => onBackend(watches, change));
  watches.clusterBackends.addHandler((change) => onBackend(watches, change));
  watches.secrets.addHandler((change) => onSecret(watches, change));
}

function onMigration(watches: Watches, change: Change<SecretMigration>): void {
  const { old, current } = change;
  if (current === undefined) {
    if (old !== undefined) forgetMetrics(watches.metrics, old);
    return;
  }
  const onlyStatusChanged =
    old !== undefined &&
    old.metadata.generation === current.metadata.generation &&
    old.metadata.deletionTimestamp === current.metadata.deletionTimestamp &&
    JSON.stringify(old.metadata.annotations) === JSON.stringify(current.metadata.annotations);
  if (onlyStatusChanged) return;
  watches.migrationQueue.add(objectKey(current.metadata));
}

function forgetMetrics(metrics: Metrics, migration: SecretMigration): void {
  const { namespace, name } = migration.metadata;
  for (const state of ['pending', 'copied', 'verified', 'removed', 'conflict', 'failed', 'skipped']) {
    metrics.forget('secretmigration_keys', { namespace, name, state });
  }
  for (const status of ['True', 'False', 'Unknown']) {
    metrics.forget('secretmigration_condition', { namespace, name, type: 'Ready', status });
  }
  metrics.forget('secretmigration_fallback_hits', { namespace, name });
  metrics.forget('secretmigration_last_success_timestamp_seconds', { namespace, name });
}

function onBackend(watches: Watches, { old, current }: Change<Backend>): void {
  const backend = current ?? old;
  if (backend === undefined) return;
  if (current === undefined) retire(watches, backend);
  if (aspirationOf(old) !== aspirationOf(current)) wakeCandidates(watches, backend);
  if (intentOf(old) !== intentOf(current) && current !== undefined)
    queueOf(watches, current).add(objectKey(current.metadata));
  if (intentOf(old) === intentOf(current) && readinessOf(old) === readinessOf(current)) return;
  wakeMigrations(
    watches,
    backend,
    [old, current].some((state) => aspirationOf(state)),
  );
}

/** Whether it asks to be the default. */
function aspirationOf(backend: Backend | undefined): boolean {
  return backend !== undefined && asksToBeDefault(backend);
}

/** All that a user says in it. */
function intentOf(backend: Backend | undefined): string {
  return `${backend?.metadata.generation} ${aspirationOf(backend)}`;
}

function queueOf({ backendQueue, clusterBackendQueue }: Watches, { kind }: Backend): WorkQueue {
  return kind === 'SecretBackend' ? backendQueue : clusterBackendQueue;
}

/** Which of them is the default may be another one now. */
function wakeCandidates({ clusterBackends, clusterBackendQueue }: Watches, changed: Backend): void {
  for (const backend of clusterBackends.store.values()) {
    if (asksToBeDefault(backend) && backend.metadata.uid !== changed.metadata.uid)
      clusterBackendQueue.add(objectKey(backend.metadata));
  }
}

/** The status of Ready and the spec that it is about: a migration waits for both. */
function readinessOf(backend: Backend | undefined): string {
  const ready = backend && readyOf(backend.status);
  return `${ready?.status} of ${ready?.observedGeneration}`;
}

function wakeMigrations(watches: Watches, backend: Backend, isDefault: boolean): void {
  const { store } = watches.migrations;
  const namespace = namespaceOf(backend);
  const { kind } = backend;
  const { name } = backend.metadata;
  const isMeant = (ref: BackendRef | undefined): boolean =>
    ref === undefined ? isDefault : ref.kind === kind && ref.name === name;
  for (const migration of namespace === undefined ? store.values() : store.byIndex('namespace', namespace)) {
    const { source, destination } = migration.spec;
    if (isMeant(source.backendRef) || isMeant(destination.backendRef)) {
      watches.migrationQueue.add(objectKey(migration.metadata));
    }
  }
}

function onSecret(watches: Watches, { old, current, initial }: Change<CachedObject>): void {
  const secret = current ?? old;
  if (secret === undefined || initial) return;
  for (const backend of backendsReadingFrom(watches, secret.metadata.namespace ?? '')) {
    if (!secretReferencesOf(backend.spec, watches.kinds).includes(secret.metadata.name)) continue;
    retire(watches, backend);
    queueOf(watches, backend).add(objectKey(backend.metadata));
  }
}

/** The backends whose references are in this namespace. */
export function backendsReadingFrom(
  watches: Pick<Watches, 'backends' | 'clusterBackends' | 'clusterResourceNamespace'>,
  namespace: string,
): readonly Backend[] {
  const { backends, clusterBackends, clusterResourceNamespace } = watches;
  const own = backends.store.byIndex('namespace', namespace);
  return namespace === clusterResourceNamespace ? [...own, ...clusterBackends.store.values()] : own;
}

function retire(watches: Watches, backend: Backend): void {
  watches.pool.retire(backend.metadata.uid).catch((failure: unknown) => {
    watches.logger.error('closing a driver failed', failure, { backend: objectKey(backend.metadata) });
  });
}
