import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import type { BySide } from '#src/core/sync/observed.ts';
import type { Clock, Sample } from '#src/ports.ts';
import { objectKey } from '#src/runtime/store.ts';
import type { Followed } from './followed.ts';
import { SIDES } from './marks.ts';

/** The gauges of `Lag.samples`. */
export const LAG_GAUGES = [
  'secretmigration_sync_lag_seconds',
  'secretmigration_sync_overdue_seconds',
] as const;
type LagGauge = (typeof LAG_GAUGES)[number];

/** A poll comes before the end of the interval by at most this part of it, and never after it: a user counts on the interval. */
export const POLL_JITTER = 0.1;

/** What it needs of a migration that is followed. */
interface Behind {
  readonly metadata: Pick<SecretMigration['metadata'], 'namespace' | 'name'>;
  readonly ends: BySide<{ readonly holdsSecret: unknown }>;
  readonly intervalMs: number;
  readonly followed: Pick<Followed, 'oldestDirtyAt' | 'knownAt'>;
}

/** How far the migrations that are kept in step are behind: by changes that are known, and by those that cannot be. */
export class Lag {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** The keys of those whose first pass in this process has not ended, with the time at which that was first told. */
  #awaited = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /**
   * At the time of the call. Call it only while this replica leads: of a migration in `cached` whose first pass has not ended,
   * nothing is known from the first call on.
   */
  *samples(followed: ReadonlyMap<string, Behind>, cached: Iterable<SecretMigration>): Generator<Sample> {
    const now = this.#clock.monotonic();
    for (const migration of followed.values()) {
      const { oldestDirtyAt = now } = migration.followed;
      yield sampleOf('secretmigration_sync_lag_seconds', migration, now - oldestDirtyAt);
      yield sampleOf('secretmigration_sync_overdue_seconds', migration, overdueMs(migration, now));
    }
    const awaited = new Map<string, number>();
    for (const migration of cached) {
      const key = objectKey(migration.metadata);
      if (followed.has(key) || !isToFollow(migration)) continue;
      const since = this.#awaited.get(key) ?? now;
      awaited.set(key, since);
      yield sampleOf('secretmigration_sync_overdue_seconds', migration, now - since);
    }
    this.#awaited = awaited;
  }
}

function sampleOf(name: LagGauge, { metadata }: Pick<Behind, 'metadata'>, ms: number): Sample {
  return { name, labels: { namespace: metadata.namespace, name: metadata.name }, value: ms / 1000 };
}

function isToFollow({ metadata, spec }: SecretMigration): boolean {
  return isKeptInStep({ spec }) && !spec.suspend && metadata.deletionTimestamp === undefined;
}

/** How much later than at the end of its interval the oldest listing is of a side that is polled. */
function overdueMs({ ends, followed, intervalMs }: Behind, now: number): number {
  const polled = SIDES.filter((side) => ends[side].holdsSecret === undefined);
  const lateMs = polled.map((side) => now - followed.knownAt(side) - intervalMs * (1 + POLL_JITTER));
  return Math.max(0, ...lateMs);
}
