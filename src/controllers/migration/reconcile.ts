import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { requireCapabilities } from '#src/engine/plan/capabilities.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import { DEADLINES_MS } from '#src/engine/deadlines.ts';
import { errorOf, OperatorError } from '#src/errors.ts';
import { orAborted } from '#src/io/abort.ts';
import { Deadline } from '#src/io/deadline.ts';
import type { MigrationJournal } from '#src/journal/journal.ts';
import type { ReconcileContext, ReconcileResult } from '#src/runtime/controller.ts';
import { requireTwoStores } from '../ranges/stores.ts';
import { shortNameOf } from '../backend/names.ts';
import type { RangeJobs } from '../ranges/jobs.ts';
import { reconcileRanges } from '../ranges/reconcile.ts';
import { requireKnownFields } from '../unknown-fields.ts';
import type { DriverLease } from '../backend/pool.ts';
import { countRun, resultOf } from './counted-runs.ts';
import { followedOf, isQuiet, quietMs } from './changes.ts';
import { openJournal, readMigration, type Attempt, type MigrationParts } from './attempt.ts';
import type { Gathered } from './engine-run.ts';
import { finish, type Ending } from './finish.ts';
import { carryOutRounds } from './rounds.ts';
import { MigrationStatus } from './status.ts';
import { Stop } from './stop.ts';
import { storeReports } from './store-reports.ts';
import { isLive, nextTask } from './task.ts';
import { failing } from './verdict.ts';

/**
 * One reconcile of one SecretMigration: gather, plan and apply, finish. Reads everything live; the watch only tells when to
 * stop. Throws OperatorErrors, after the status shows them.
 */
export async function reconcileMigration(
  parts: MigrationParts,
  key: string,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const migration = await readExisting(parts, key, context);
  if (migration === undefined) {
    parts.live.withdraw(key);
    parts.following.end(key);
    await parts.jobs?.forget(key, context);
    return { kind: 'done' };
  }
  const followed = followedOf(parts, migration);
  const task = nextTask(migration, {
    nowMs: parts.clock.now(),
    awaitsProbe: parts.backends.awaitsProbe(migration),
    isFollowed: followed !== undefined,
    probeWaitMs: parts.waitingRetryMs,
  });
  if (!isLive(task, migration)) parts.live.withdraw(key);
  using pass =
    isKeptInStep(migration) && task.kind !== 'follow' ? parts.following.beginPass(migration) : undefined;
  using stop = new Stop(parts.clock, context.signal);
  if (context.turn !== undefined) stop.followEnd(context.turn.ends);
  using _running = parts.attempts.add(migration, stop, parts.cache.get(key));
  const status = new MigrationStatus(parts.status, migration, stop.finishing);
  const removed = { count: 0 };
  const unsaved = (followed && parts.unsaved.get(followed)) ?? new Map<string, Outcome>();
  const attempt: Attempt = {
    parts,
    migration,
    task,
    followed,
    pass,
    status,
    stop,
    context,
    removed,
    unsaved,
  };
  try {
    return await carryThrough(attempt);
  } finally {
    if (followed !== undefined) parts.unsaved.set(followed, unsaved);
  }
}

async function carryThrough(attempt: Attempt): Promise<ReconcileResult> {
  const { context, migration, stop } = attempt;
  let journal: MigrationJournal | undefined;
  try {
    const jobs = jobsFor(attempt);
    if (jobs !== undefined) return await reconcileRanges(attempt, jobs);
    const early = await endingWithoutRun(attempt);
    if (early !== undefined) return await finish(attempt, early);

    requireKnownFields(migration, { op: 'migration.parse', target: migration.metadata.name });
    await using leases = new AsyncDisposableStack();
    const gathered = await gather(attempt, leases);
    ({ journal } = gathered);
    for (const outcome of attempt.unsaved.values()) await journal.record(outcome);
    journal.goOn();
    using _blocked = showingBlockedLog(attempt, journal);
    await storeReports(journal, attempt.status);
    await attempt.status.storeProgress(journal);

    // Plan and apply.
    const done = await carryOutRounds(attempt, gathered);
    if (done.result.problem !== undefined) throw errorOf(done.result.problem);
    if (done.result.interrupted) return await finishInterrupted(attempt, journal);
    const next = await finish(attempt, { kind: 'finished', journal, ...done });
    countRun(attempt, resultOf(journal));
    return next;
  } catch (failure) {
    // Whatever failed after a stop: the next run sees what is left of it.
    if (stop.because !== undefined && !context.signal.aborted)
      return await finishInterrupted(attempt, journal);
    if (!context.signal.aborted) countRun(attempt, 'failed');
    return await finish(attempt, { kind: 'failed', journal, failure });
  }
}

/** What moves the documents in the place of this process; undefined if it moves them itself. */
function jobsFor({ migration, parts }: Attempt): RangeJobs | undefined {
  return migration.spec.parallelism === undefined ? undefined : parts.jobs;
}

/** While the audit log cannot be written, the work waits in silence: the status says so, until it goes on. */
function showingBlockedLog(
  { parts: { accessLog }, status }: Attempt,
  journal: MigrationJournal,
): Disposable | undefined {
  if (accessLog === undefined) return undefined;
  const blocked = failing(new OperatorError('AUDIT_LOG_BLOCKED', { op: 'audit.record' }));
  status.setObstacle(() => (accessLog.isBlocked ? blocked : undefined));
  // Where this write fails, the next one of the run fails, too.
  return accessLog.onChange(() => void status.storeProgress(journal).catch(() => undefined));
}

async function finishInterrupted(
  attempt: Attempt,
  journal: MigrationJournal | undefined,
): Promise<ReconcileResult> {
  const next = await finish(attempt, { kind: 'interrupted', journal });
  countRun(attempt, 'interrupted');
  return next;
}

/** The end of an attempt that needs no backend; undefined for one that runs the engine. */
async function endingWithoutRun(attempt: Attempt): Promise<Ending | undefined> {
  const { task } = attempt;
  if (task.kind === 'wait') return { kind: 'waiting', afterMs: task.afterMs };
  if (task.kind === 'suspend') return { kind: 'suspended' };
  if (task.kind === 'endFallback') return { kind: 'fallbackEnded', journal: await openJournal(attempt) };
  return isQuiet(attempt) ? { kind: 'waiting', afterMs: quietMs(attempt) } : undefined;
}

/** Both backends, their capabilities, and what earlier runs recorded. */
async function gather(attempt: Attempt, leases: AsyncDisposableStack): Promise<Gathered> {
  const { migration, parts, status, stop } = attempt;
  const { namespace, name, uid } = migration.metadata;
  const about = { op: 'migration.gather', target: `${namespace}/${name}` };
  using time = Deadline.unpausable(parts.clock, DEADLINES_MS.gather, stop.signal, about);
  const { signal } = time;
  const backends = await parts.backends.find(migration, signal);
  const lease = async (backend: Backend): Promise<DriverLease> => {
    const leased = leases.use(await parts.pool.acquire(backend, { namespace, name, uid }));
    stop.follow(leased);
    return leased;
  };
  const source = await lease(backends.source);
  const destination = await lease(backends.destination);
  const keepsVersions = await requireCapabilities(migration, { source, destination }, signal);
  if (parts.range !== undefined) requireTwoStores(source.driver, destination.driver);
  status.setBackends({
    source: shortNameOf(backends.source),
    destination: shortNameOf(backends.destination),
  });
  const journal = await orAborted(openJournal(attempt, destination.driver), signal);
  return { backends, source, destination, keepsVersions, journal };
}

/** The migration, unless it is gone or going; tells what is left of one that is gone. Throws `SPEC_INVALID`. */
async function readExisting(
  { halfRemoved, migrations, status }: MigrationParts,
  key: string,
  { logger, signal }: ReconcileContext,
): Promise<SecretMigration | undefined> {
  const found = await readMigration(migrations, key, signal);
  const existing = found?.metadata.deletionTimestamp === undefined ? found : undefined;
  halfRemoved.tellIfGone(key, existing?.metadata.uid, { events: status.events, logger });
  return existing;
}
