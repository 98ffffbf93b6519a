import type { SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Logger, Metrics } from '#src/ports.ts';
import type { Change, Informer } from '#src/runtime/informer.ts';
import type { WorkQueue } from '#src/runtime/queue.ts';
import { objectKey, type CachedObject } from '#src/runtime/store.ts';
import { readyOf } from './conditions.ts';
import type { DriverPool } from './driver-pool.ts';
import { credentialSecretsOf } from './trust-root.ts';

export interface Watches {
  readonly migrations: Informer<SecretMigration>;
  readonly backends: Informer<SecretBackend>;
  /** Metadata only: values never sit in a cache. */
  readonly secrets: Informer<CachedObject>;
  readonly migrationQueue: WorkQueue;
  readonly backendQueue: WorkQueue;
  readonly pool: DriverPool;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/**
 * Which event wakes which key:
 *
 *   SecretMigration  its spec, annotations or deletion   → the migration (its own status writes wake nobody)
 *   SecretBackend    its spec                            → the backend, with a new driver
 *                    Ready, or it appeared or went       → the migrations of its namespace that refer to it
 *   Secret           one that a backend reads            → that backend, with a new driver
 */
export function connectWatches(watches: Watches): void {
  watches.migrations.addHandler((change) => onMigration(watches, change));
  watches.backends.addHandler((change) => onBackend(watches, change));
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

function onBackend(watches: Watches, { old, current }: Change<SecretBackend>): void {
  const backend = current ?? old;
  if (backend === undefined) return;
  const specChanged = old?.metadata.generation !== current?.metadata.generation;
  if (current === undefined) retire(watches, backend);
  else if (specChanged) watches.backendQueue.add(objectKey(current.metadata));
  if (specChanged || readinessOf(old) !== readinessOf(current)) wakeMigrations(watches, backend);
}

/** The status of Ready and the spec that it is about: a migration waits for both. */
function readinessOf(backend: SecretBackend | undefined): string {
  const ready = backend && readyOf(backend.status);
  return `${ready?.status} of ${ready?.observedGeneration}`;
}

function wakeMigrations(watches: Watches, backend: SecretBackend): void {
  const { namespace, name } = backend.metadata;
  for (const migration of watches.migrations.store.byIndex('namespace', namespace)) {
    const { source, destination } = migration.spec;
    if (source.backendRef.name === name || destination.backendRef.name === name) {
      watches.migrationQueue.add(objectKey(migration.metadata));
    }
  }
}

function onSecret(watches: Watches, { old, current, initial }: Change<CachedObject>): void {
  const secret = current ?? old;
  if (secret === undefined || initial) return;
  for (const backend of watches.backends.store.byIndex('namespace', secret.metadata.namespace ?? '')) {
    if (!credentialSecretsOf(backend).includes(secret.metadata.name)) continue;
    retire(watches, backend);
    watches.backendQueue.add(objectKey(backend.metadata));
  }
}

function retire(watches: Watches, backend: SecretBackend): void {
  watches.pool.retire(backend.metadata.uid).catch((failure: unknown) => {
    watches.logger.error('closing a driver failed', failure, { backend: objectKey(backend.metadata) });
  });
}
