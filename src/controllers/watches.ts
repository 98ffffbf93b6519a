import { ACKNOWLEDGE_IDENTITY_ANNOTATION, RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import {
  asksToBeDefault,
  type Backend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { BackendRef, SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Logger } from '#src/ports.ts';
import type { ChangeFeed } from '#src/runtime/change-feed.ts';
import type { Change, Watched } from '#src/runtime/informer.ts';
import { objectKey, type CachedObject } from '#src/runtime/store.ts';
import { namespaceOf } from './backend/names.ts';
import { mayUse } from './backend/lookup.ts';
import { SPEC_CHANGED, type DriverPool, type Retirement } from './backend/pool.ts';
import { backendsReading, backendsReadingIn, type BackendReferences } from './backend/trust-root.ts';
import { readyOf } from './conditions.ts';
import type { RunningAttempts } from './migration/running.ts';
import { backendQueue, type Queues } from './queues.ts';
import { awaitingPass } from './sync/edits-first.ts';
import type { Following } from './sync/following.ts';

/** The caches, and the watch of Secrets. */
export interface Informers {
  readonly migrations: Watched<SecretMigration>;
  readonly backends: Watched<SecretBackend>;
  readonly clusterBackends: Watched<ClusterSecretBackend>;
  /** Metadata only. Undefined: the next probe of a backend notices a changed Secret. */
  readonly secrets: ChangeFeed | undefined;
}

export interface Watches extends Omit<Informers, 'secrets'> {
  readonly secrets: Pick<ChangeFeed, 'addListener'> | undefined;
  readonly queues: Queues;
  /** Tell which Secrets a backend reads. */
  readonly references: BackendReferences;
  readonly pool: DriverPool;
  readonly attempts: RunningAttempts;
  readonly following: Following;
  readonly logger: Logger;
}

/**
 * Which event wakes which key:
 *
 *   SecretMigration  its spec, annotations or deletion   → the migration (its own status writes wake nobody)
 *   a backend        its spec or deletion                → the backend, with a new driver
 *                    the identity that it acknowledges   → the backend
 *                    a requested probe                   → the backend
 *                    whether it asks to be the default   → all that ask for it
 *                    Ready, or it appeared or went       → the migrations that refer to it
 *   Secret           one that a backend reads            → that backend, with a new driver
 *                    a document that is kept in step     → its migrations; before their first pass: that pass, sooner
 *                    changes were missed                 → all backends that read one; the versions of documents are listed
 *   the pool         a request failed as all could      → the backend
 *
 * What comes with a first list, or with a backend that is Ready again, has low priority: no user waits for it.
 *
 * A migration that changed or went, and a backend that loses its driver, also stop what is under way with them.
 */
export function connectWatches(watches: Watches): void {
  watches.migrations.addHandler((change) => {
    watches.attempts.onChange(change);
    watches.following.onMigration(change);
    onMigration(watches, change);
  });
  watches.backends.addHandler((change) => onBackend(watches, change));
  watches.clusterBackends.addHandler((change) => onBackend(watches, change));
  watches.secrets?.addListener({
    changed: (secret, exists) => {
      onSecret(watches, secret);
      promoteAwaited(watches, secret);
      watches.following.onSecret(secret, exists);
    },
    missed: (namespace) => {
      for (const backend of backendsReadingIn(watches.references, namespace))
        reopen(watches, backend, 'Changes of the Secrets that the backend reads can have been missed.');
      watches.following.onMissed(namespace);
    },
  });
  watches.pool.onDoubt((backend) => wake(watches, backend));
}

function onMigration(watches: Watches, change: Change<SecretMigration>): void {
  const { old, current } = change;
  const migration = current ?? old;
  if (migration === undefined) return;
  const onlyStatusChanged =
    old !== undefined &&
    current !== undefined &&
    old.metadata.generation === current.metadata.generation &&
    old.metadata.deletionTimestamp === current.metadata.deletionTimestamp &&
    JSON.stringify(old.metadata.annotations) === JSON.stringify(current.metadata.annotations);
  if (onlyStatusChanged) return;
  watches.queues.migrations.add(objectKey(migration.metadata), change.initial ? 'low' : 'normal');
}

function onBackend(watches: Watches, { old, current }: Change<Backend>): void {
  const backend = current ?? old;
  if (backend === undefined) return;
  if (current === undefined) retire(watches, backend, { because: 'The backend was deleted.' });
  if (wantsDefault(old) !== wantsDefault(current)) wakeCandidates(watches, backend);
  wakeIfAnnotated(watches, old, current);
  const specChanged = specKeyOf(old) !== specKeyOf(current);
  if (specChanged && current !== undefined) {
    const mayUseNow = (namespace: string): boolean => mayUse(current, namespace);
    const { generation: before } = current.metadata;
    retire(watches, current, { because: SPEC_CHANGED, before, mayUse: mayUseNow });
    wake(watches, current);
  }
  if (!specChanged && readinessOf(old) === readinessOf(current)) return;
  wakeMigrations(watches, backend, wantsDefault(old) || wantsDefault(current));
}

/** Whether it asks to be the default. */
function wantsDefault(backend: Backend | undefined): boolean {
  return backend !== undefined && asksToBeDefault(backend);
}

/** Annotations of a backend that ask for a probe of the same store, with the same driver. */
const ASKS_FOR_PROBE = [ACKNOWLEDGE_IDENTITY_ANNOTATION, RECONCILE_REQUESTED_ANNOTATION];

function wakeIfAnnotated(watches: Watches, old: Backend | undefined, current: Backend | undefined): void {
  if (current === undefined) return;
  const before = old?.metadata.annotations;
  const { annotations } = current.metadata;
  if (ASKS_FOR_PROBE.some((name) => before?.[name] !== annotations?.[name])) wake(watches, current);
}

/** Differs when anything that a user writes in it differs. */
function specKeyOf(backend: Backend | undefined): string {
  return `${backend?.metadata.generation} ${wantsDefault(backend)}`;
}

function wake({ queues }: Watches, backend: Backend): void {
  backendQueue(queues, backend.kind).add(objectKey(backend.metadata));
}

/** Another one of them may be the default now. */
function wakeCandidates(watches: Watches, changed: Backend): void {
  for (const backend of watches.clusterBackends.store.values()) {
    if (asksToBeDefault(backend) && backend.metadata.uid !== changed.metadata.uid) wake(watches, backend);
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
  const refersTo = (ref: BackendRef | undefined): boolean =>
    ref === undefined ? isDefault : ref.kind === kind && ref.name === name;
  for (const migration of namespace === undefined ? store.values() : store.byIndex('namespace', namespace)) {
    const { source, destination } = migration.spec;
    if (refersTo(source.backendRef) || refersTo(destination.backendRef)) {
      // All at once, at a start and after an outage: nobody just changed them.
      watches.queues.migrations.add(objectKey(migration.metadata), 'low');
    }
  }
}

function onSecret(watches: Watches, secret: CachedObject): void {
  const { namespace = '', name } = secret.metadata;
  for (const backend of backendsReading(watches.references, { namespace, name }))
    reopen(watches, backend, `The Secret ${name} changed, which the backend reads.`);
}

function reopen(watches: Watches, backend: Backend, because: string): void {
  retire(watches, backend, { because });
  wake(watches, backend);
}

/** After a start, a migration whose Secret is edited does not wait behind those of the first list. */
function promoteAwaited(
  { following, migrations, queues }: Watches,
  { metadata: { namespace = '', name } }: CachedObject,
): void {
  for (const key of awaitingPass(migrations.store, following, { namespace, name }))
    queues.migrations.promote(key);
}

function retire(watches: Watches, backend: Backend, retirement: Retirement): void {
  watches.pool.retire(backend.metadata.uid, retirement).catch((failure: unknown) => {
    watches.logger.error('closing a driver failed', failure, { backend: objectKey(backend.metadata) });
  });
}
