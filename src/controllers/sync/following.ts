import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { DEFAULT_INTERVAL_SECONDS } from '#src/api/v1alpha1/sync.ts';
import type { VersionState } from '#src/backends/listing.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import type { Shape } from '#src/backends/layers/shaped.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { BySide, Side } from '#src/core/sync/observed.ts';
import type { Intent } from '#src/engine/plan/intent.ts';
import type { Clock, Metrics, Random, Sample } from '#src/ports.ts';
import type { Change } from '#src/runtime/informer.ts';
import type { WorkQueue } from '#src/runtime/queue.ts';
import { objectKey, type CachedObject } from '#src/runtime/store.ts';
import type { BackendPair } from '../backend/lookup.ts';
import { Followed } from './followed.ts';
import { Lag } from './lag.ts';
import { SIDES } from './marks.ts';
import { Passes, type Pass } from './passes.ts';

/** What a pass over the whole selection leaves for the time after it. */
export interface PassEnd {
  readonly backends: BackendPair;
  readonly intent: Pick<Intent, 'selection' | 'route' | 'fallbackUntil'>;
  /** What became of every document. */
  readonly outcomes: Iterable<Outcome>;
  /** Begun before the pass read anything. */
  readonly pass: Pass;
}

/** One side of a migration that is followed. */
export interface FollowedEnd {
  readonly kind: Backend['kind'];
  readonly name: string;
  readonly uid: string;
  /** A watch of Secrets tells of its changes: its versions are never listed. */
  readonly holdsSecret: NonNullable<BackendKind['holdsSecret']> | undefined;
}

/** One migration that is followed. */
export interface FollowedMigration extends Pick<PassEnd, 'intent'> {
  readonly metadata: Pick<SecretMigration['metadata'], 'namespace' | 'name' | 'uid' | 'generation'>;
  readonly ends: BySide<FollowedEnd>;
  /** What makes one document of several. */
  readonly shape: Shape;
  /** Between two listings of the versions of one side. */
  readonly intervalMs: number;
  readonly followed: Followed;
  /** Sides whose watch can have missed changes: their versions are listed once, although a watch tells of them. */
  readonly missed: Set<Side>;
}

export interface FollowingOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly random: Random;
  readonly metrics: Pick<Metrics, 'observe'>;
  readonly kinds: readonly BackendKind[];
  /** `onSecret` is called with each change of a Secret. */
  readonly watchesSecrets: boolean;
  readonly polls: Pick<WorkQueue, 'addAfter'>;
  /** Called with the key of a migration that has a change to carry to the other side. */
  readonly wake: (key: string) => void;
}

const MISSED_WITHIN_MS = 60_000;

/** All migrations that this process keeps in step, from the end of their first pass on. */
export class Following {
  readonly #options: FollowingOptions;
  readonly #migrations = new Map<string, FollowedMigration>();
  /** The keys of those with a side that the watch of Secrets covers, by namespace. */
  readonly #watching = new Map<string, Set<string>>();
  readonly #passes = new Passes();
  readonly #lag: Lag;

  constructor(options: FollowingOptions) {
    this.#options = options;
    this.#lag = new Lag(options.clock);
  }

  /** Call it before a pass reads anything, and dispose of what it returns when the pass has ended, in whatever way. */
  beginPass({ metadata }: Pick<SecretMigration, 'metadata'>): Pass {
    return this.#passes.begin(metadata.namespace);
  }

  /**
   * Follows a migration from the end of a pass on, or goes on with it if it has the same spec. A Secret that changed since the
   * pass read it wakes the migration at once. The first poll comes at a random time of the interval, so that many
   * migrations that begin together do not stay together.
   */
  begin(migration: SecretMigration, { backends, intent, outcomes, pass }: PassEnd): Followed {
    const { metadata, spec } = migration;
    const key = objectKey(metadata);
    const before = this.#migrations.get(key);
    const { clock, polls, random } = this.#options;
    const { namespace, name, uid, generation } = metadata;
    const goesOn = before?.metadata.uid === uid && before.metadata.generation === generation;
    const { labelSelector } = spec.select;
    const isSplit = spec.mapping.split !== undefined;
    const onPropagated = (ms: number): void =>
      this.#options.metrics.observe('keyferry_sync_propagation_seconds', {}, ms / 1000);
    const options = { ...intent, labelSelector, isSplit, clock, onPropagated };
    const followed = goesOn ? before.followed : new Followed(options);
    followed.remember(outcomes, 'all');
    const ends = { source: this.#endOf(backends.source), destination: this.#endOf(backends.destination) };
    const intervalMs = (spec.sync?.intervalSeconds ?? DEFAULT_INTERVAL_SECONDS) * 1000;
    const about = { metadata: { namespace, name, uid, generation }, shape: spec.mapping, intervalMs };
    const missed = goesOn ? before.missed : new Set<Side>();
    const current = { ...about, ends, intent, followed, missed };
    this.#set(key, current);
    if (goesOn && SIDES.every((side) => before.ends[side].uid === ends[side].uid)) return followed;
    this.#compareWith(pass, key, current);
    if (SIDES.some((side) => ends[side].holdsSecret === undefined))
      polls.addAfter(key, random() * intervalMs);
    return followed;
  }

  #endOf({ kind, metadata, spec }: Backend): FollowedEnd {
    const { kinds, watchesSecrets } = this.#options;
    const ofType = kinds.find(({ type }) => type === spec.type);
    const holdsSecret =
      watchesSecrets && ofType?.holdsSecret !== undefined ? ofType.holdsSecret.bind(ofType) : undefined;
    return { kind, name: metadata.name, uid: metadata.uid, holdsSecret };
  }

  #set(key: string, migration: FollowedMigration): void {
    this.end(key);
    this.#migrations.set(key, migration);
    if (SIDES.every((side) => migration.ends[side].holdsSecret === undefined)) return;
    const { namespace } = migration.metadata;
    const keys = this.#watching.get(namespace) ?? new Set<string>();
    this.#watching.set(namespace, keys.add(key));
  }

  /** The migration, as it is followed; undefined while it is not. */
  get(key: string): FollowedMigration | undefined {
    return this.#migrations.get(key);
  }

  /** What may have changed of this migration; undefined while it is not followed: then only a pass tells. */
  of(key: string): Followed | undefined {
    return this.#migrations.get(key)?.followed;
  }

  /** Follows the migration no longer, and forgets all of it. */
  end(key: string): void {
    const namespace = this.#migrations.get(key)?.metadata.namespace;
    if (namespace === undefined) return;
    this.#migrations.delete(key);
    const keys = this.#watching.get(namespace);
    keys?.delete(key);
    if (keys?.size === 0) this.#watching.delete(namespace);
  }

  /** Ends a migration that is gone or going, or has another spec: suspended, switched to Once, or to be walked again. */
  onMigration(change: Pick<Change<SecretMigration>, 'old' | 'current'>): void {
    const migration = change.current ?? change.old;
    const key = migration === undefined ? '' : objectKey(migration.metadata);
    const followed = this.#migrations.get(key);
    if (followed !== undefined && isOver(followed, change)) this.end(key);
  }

  /** A Secret changed: wakes the migrations of its namespace that have it as a document at one of their sides. */
  onSecret(secret: CachedObject, exists: boolean): void {
    this.#passes.changed(secret, exists);
    for (const key of this.#watching.get(secret.metadata.namespace ?? '') ?? []) {
      const migration = this.#migrations.get(key);
      if (migration !== undefined && isNews(migration, secret, exists)) this.#options.wake(key);
    }
  }

  /** Changes of Secrets can have been missed in this namespace, or in all: their versions are listed. */
  onMissed(namespace: string | undefined): void {
    this.#passes.missed(namespace);
    for (const [watched, keys] of this.#watching) {
      if (namespace !== undefined && watched !== namespace) continue;
      for (const key of keys) this.#listOnce(key);
    }
  }

  /** At a random time of the next minute, so that all that missed something do not list at once. */
  #listOnce(key: string): void {
    const migration = this.#migrations.get(key);
    if (migration === undefined) return;
    for (const side of SIDES) if (migration.ends[side].holdsSecret !== undefined) migration.missed.add(side);
    const { polls, random } = this.#options;
    polls.addAfter(key, random() * Math.min(migration.intervalMs, MISSED_WITHIN_MS));
  }

  #compareWith(pass: Pass, key: string, migration: FollowedMigration): void {
    if (!this.#watching.get(migration.metadata.namespace)?.has(key)) return;
    if (pass.hasMissed) this.#listOnce(key);
    let hasNews = false;
    for (const [secret, exists] of pass.changes()) if (isNews(migration, secret, exists)) hasNews = true;
    if (hasNews) this.#options.wake(key);
  }

  /** See `Lag.samples`, of all migrations in the cache. */
  samples(cached: Iterable<SecretMigration>): Iterable<Sample> {
    return this.#lag.samples(this.#migrations, cached);
  }
}

/** The cache can be behind the pass: an earlier generation ends nothing. */
function isOver(
  { metadata: { generation, uid } }: FollowedMigration,
  { current, old }: Pick<Change<SecretMigration>, 'old' | 'current'>,
): boolean {
  if (current?.metadata.uid !== uid) return old?.metadata.uid === uid;
  return current.metadata.generation > generation || current.metadata.deletionTimestamp !== undefined;
}

/** True if the migration should be woken for this state of a Secret. */
function isNews({ ends, followed }: FollowedMigration, { metadata }: CachedObject, exists: boolean): boolean {
  const { labels = 'unknown', name, resourceVersion: revision, uid: identity } = metadata;
  const stateAt = (side: Side): VersionState =>
    exists && ends[side].holdsSecret?.(metadata) === true
      ? { state: 'present', version: { identity, revision } }
      : { state: 'absent' };
  const atSource =
    ends.source.holdsSecret !== undefined && followed.sourceSeen(name, stateAt('source'), labels);
  const atDestination =
    ends.destination.holdsSecret !== undefined && followed.destinationSeen(name, stateAt('destination'));
  return atSource || atDestination;
}
