import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { Driver } from '#src/backends/driver.ts';
import type { ListedVersion } from '#src/backends/listing.ts';
import { shaped } from '#src/backends/layers/shaped.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { errorOf, hasCode } from '#src/errors.ts';
import type { Clock, Metrics, Random } from '#src/ports.ts';
import type { ReconcileContext, ReconcileResult } from '#src/runtime/controller.ts';
import { mayUse, type BackendLookupOptions } from '../backend/lookup.ts';
import type { DriverPool } from '../backend/pool.ts';
import { isReady } from '../conditions.ts';
import type { FollowedEnd, FollowedMigration, Following } from './following.ts';
import { POLL_JITTER } from './lag.ts';
import { SIDES } from './marks.ts';
import { queriesOf } from './queries.ts';

/** What every poll needs. */
export interface PollParts {
  readonly following: Following;
  /** The caches of the watches. A poll reads nothing from the API server. */
  readonly backends: Pick<BackendLookupOptions, 'cache' | 'clusterCache'>;
  readonly pool: DriverPool;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Called with the key of a migration that has a change to carry to the other side, or whose store failed or recovered. */
  readonly wake: (key: string) => void;
}

export const POLL_RESULTS = ['unchanged', 'changed', 'failed', 'skipped'] as const;
type PollResult = (typeof POLL_RESULTS)[number];

/**
 * Lists the versions at each side of one migration that no watch covers, and comes back after the interval of the migration; a side
 * whose watch missed changes is listed until that succeeds. A
 * listing that fails marks nothing: `Followed.problems` has it until one succeeds, and both wake the migration. A backend that is
 * not Ready is not asked. Ends when the migration is no longer followed.
 */
export async function pollMigration(
  parts: PollParts,
  key: string,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const migration = parts.following.get(key);
  if (migration === undefined) return { kind: 'done' };
  for (const side of sidesToList(migration)) {
    const result = await pollSide(parts, { key, migration, side }, context);
    parts.metrics.count('keyferry_sync_polls_total', { result });
  }
  if (sidesToList(migration).length === 0) return { kind: 'done' };
  return { kind: 'requeue', requeueAfterMs: migration.intervalMs * (1 - POLL_JITTER * parts.random()) };
}

/** Those that no watch covers, and those whose watch can have missed changes. */
function sidesToList({ ends, missed }: FollowedMigration): readonly Side[] {
  return SIDES.filter((side) => ends[side].holdsSecret === undefined || missed.has(side));
}

interface Poll {
  readonly key: string;
  readonly migration: FollowedMigration;
  readonly side: Side;
}

async function pollSide(
  parts: PollParts,
  { key, migration, side }: Poll,
  { logger, signal }: ReconcileContext,
): Promise<PollResult> {
  const backend = usableBackend(parts, migration, migration.ends[side]);
  if (backend === undefined) return 'skipped';
  const { followed, missed } = migration;
  const hadMissed = missed.delete(side);
  try {
    const listed = await listVersions(parts, { migration, side, backend }, signal);
    const isChanged = followed.listed(side, listed);
    const hasRecovered = followed.problems.delete(side);
    if (isChanged || hasRecovered) parts.wake(key);
    return isChanged ? 'changed' : 'unchanged';
  } catch (thrown) {
    if (hadMissed) missed.add(side);
    if (signal.aborted) throw thrown;
    // It was retired or closed meanwhile: its next generation is asked.
    if (hasCode(thrown, 'BACKEND_NOT_READY')) return 'skipped';
    const problem = errorOf(thrown);
    const isNew = !followed.problems.has(side);
    followed.problems.set(side, problem);
    if (isNew) {
      logger.warn('the versions cannot be listed', { side, code: problem.code, op: problem.op });
      parts.wake(key);
    }
    return 'failed';
  }
}

/** The backend from the cache, while the migration may use it and it is Ready. */
function usableBackend(
  { backends }: PollParts,
  { metadata: { namespace } }: FollowedMigration,
  { kind, name, uid }: FollowedEnd,
): Backend | undefined {
  const backend =
    kind === 'SecretBackend' ? backends.cache.get(`${namespace}/${name}`) : backends.clusterCache.get(name);
  const isUsable = backend?.metadata.uid === uid && mayUse(backend, namespace) && isReady(backend);
  return isUsable ? backend : undefined;
}

/** All versions of one side. They count only together, so they are kept until the listing is complete. */
async function listVersions(
  { clock, pool }: PollParts,
  { backend, migration, side }: Omit<Poll, 'key'> & { readonly backend: Backend },
  signal: AbortSignal,
): Promise<readonly ListedVersion[]> {
  const { namespace, name, uid } = migration.metadata;
  await using lease = await pool.acquire(backend, { namespace, name, uid });
  const reader = side === 'source' ? joinedOf(lease.driver, migration) : lease.driver;
  const listed: ListedVersion[] = [];
  for (const query of queriesOf(migration, side, clock.now())) {
    for await (const each of reader.versions(query, signal)) listed.push(each);
  }
  return listed;
}

/** A folder that is joined has one version. The keys of a Secret have that of the Secret, so it is not read for them. */
function joinedOf(
  driver: Driver,
  { intent, shape: { join } }: Pick<FollowedMigration, 'intent' | 'shape'>,
): Pick<Driver, 'versions'> {
  return shaped(driver, { join }, intent.selection);
}
