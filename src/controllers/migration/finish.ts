import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { InventoryCounts } from '#src/core/inventory.ts';
import { removesSources } from '#src/engine/plan/compile.ts';
import type { PlanTotals } from '#src/engine/plan/totals.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import { hasCode, isAbort } from '#src/errors.ts';
import type { MigrationJournal } from '#src/journal/journal.ts';
import type { Logger } from '#src/ports.ts';
import type { ReconcileResult } from '#src/runtime/controller.ts';
import { objectKey } from '#src/runtime/store.ts';
import { hasWork, isOfApprovedPlan, needsApproval } from './approval.ts';
import { readMigration, type Attempt } from './attempt.ts';
import { releaseSuspended } from './claims.ts';
import type { AwaitedPlan } from './messages.ts';
import { removalsIn, tellDeleted, tellRemoved, type RemovalReport } from './removals.ts';
import { storeReports } from './store-reports.ts';
import { remember } from './changes.ts';
import type { Done } from './engine-run.ts';
import { tellingOutcomes } from './telling.ts';
import { undone } from './undone.ts';
import { concluding, failing, slowedDown, suspended, type Verdict } from './verdict.ts';

/** Delay before documents are tried again whose failure has probably passed by then. */
const RETRY_SOON_MS = 5_000;

/** What the engine did. */
interface Finished extends Done {
  readonly journal: MigrationJournal;
}

/** How an attempt ended. */
export type Ending =
  | { readonly kind: 'waiting'; readonly afterMs: number | undefined }
  | { readonly kind: 'suspended' }
  | { readonly kind: 'fallbackEnded'; readonly journal: MigrationJournal }
  /** The engine did all that is possible now. */
  | ({ readonly kind: 'finished' } & Finished)
  /** It was stopped. `journal` is undefined if that was before it was opened. */
  | { readonly kind: 'interrupted'; readonly journal: MigrationJournal | undefined }
  /** `journal` is undefined if the failure occurred before it was opened. */
  | { readonly kind: 'failed'; readonly journal: MigrationJournal | undefined; readonly failure: unknown };

/**
 * The single exit of a reconcile: publishes how it ended and returns when the migration is due again. Throws the failure
 * of a failed attempt after publishing it, so that the controller decides on the retry, unless it passed already.
 */
export async function finish(attempt: Attempt, ending: Ending): Promise<ReconcileResult> {
  attempt.stop.finish();
  let afterMs: number | undefined;
  switch (ending.kind) {
    case 'waiting':
      ({ afterMs } = ending);
      break;
    case 'suspended':
      await releaseSuspended(attempt);
      await attempt.status.conclude(suspended());
      break;
    case 'fallbackEnded':
      await endFallback(attempt, ending.journal);
      break;
    case 'finished':
      afterMs = await conclude(attempt, ending);
      break;
    case 'interrupted':
      attempt.context.logger.info('run stopped', { because: attempt.stop.because?.message });
      await handOver(attempt, ending.journal);
      afterMs = 0;
      break;
    case 'failed':
      await publishFailure(attempt, ending.journal, ending.failure);
      if (!isMomentary(ending.failure, attempt.parts.backends.areReady(attempt.migration)))
        throw ending.failure;
      afterMs = RETRY_SOON_MS;
      break;
  }
  return afterMs === undefined ? { kind: 'done' } : { kind: 'requeue', requeueAfterMs: afterMs };
}

/**
 * True for a backend that was out of service for a moment only: its circuit was open, and the watch still shows it as Ready. If
 * it never shows anything else, no change of Ready wakes the migration.
 */
export function isMomentary(failure: unknown, areReady: boolean): boolean {
  return areReady && hasCode(failure, 'BACKEND_NOT_READY');
}

/** Keeps the verdict of the completed run, unless rows of it were lost. */
async function endFallback({ migration, status }: Attempt, journal: MigrationJournal): Promise<void> {
  const { loss } = journal;
  if (loss === undefined) return status.storeProgress(journal);
  await storeReports(journal, status);
  const outcomes = tellingOutcomes(migration, journal.outcomes());
  const { dryRun } = migration.spec;
  const { plan } = migration.status;
  const verdict = concluding({ counts: journal.counts(), outcomes, dryRun, awaitsSoak: false, loss, plan });
  await status.conclude(verdict, journal);
}

function reportOf({ parts, context }: Attempt): RemovalReport {
  return { events: parts.status.events, logger: context.logger };
}

/** Tells what this attempt removed since it was last called, and keeps in mind how far the migration came. */
function tellRemovals(attempt: Attempt, journal: MigrationJournal | undefined): void {
  const { metadata } = attempt.migration;
  const { count } = attempt.removed;
  attempt.removed.count = 0;
  tellRemoved(metadata, count, reportOf(attempt));
  if (journal !== undefined) attempt.parts.halfRemoved.note(metadata, removalsIn(journal.outcomes()));
}

/** Publishes the verdict on a run; resolves with the milliseconds until the migration is due again, or undefined. */
async function conclude(attempt: Attempt, finished: Finished): Promise<number | undefined> {
  const { parts, migration, status, task, context } = attempt;
  const { journal, result } = finished;
  if (task.kind === 'run' && !isOfApprovedPlan(finished.approval)) journal.dropUnvisited();
  tellRemovals(attempt, journal);
  await storeReports(journal, status);
  const outcomes = tellingOutcomes(migration, journal.outcomes());
  if (result.inventory !== undefined) {
    status.setInventory(result.inventory);
    logInventory(context.logger, result.inventory);
  }
  const plan = planShown(attempt, finished, outcomes);
  status.setPlan(plan);
  if (isKeptInStep(migration)) return await concludeInStep(attempt, finished, outcomes);
  const verdict = verdictOn(attempt, finished, outcomes);
  await status.conclude(verdict, journal);
  rest(attempt, verdict);
  if (goesOn(verdict, plan !== undefined && plan.digest === migration.spec.approval?.digest)) return 0;
  const hasEffect = outcomes.length > 0 && !isIdle(verdict);
  return nextRunMs({ outcomes, hasEffect, wakeAfterMs: result.wakeAfterMs }, parts.waitingRetryMs);
}

/** After a verdict that no run follows, the migration holds no document of others, and nothing is half removed. */
function rest({ migration, parts }: Attempt, { ready, reason, succeeded }: Verdict): void {
  if (ready === 'True' || reason === 'AwaitingApproval') parts.live.withdraw(objectKey(migration.metadata));
  if (succeeded === 'True') parts.halfRemoved.forget(migration.metadata);
}

/** True if the next run is due at once: a plan that was made again is the approved one, or another plan is to be made. */
function goesOn({ reason }: Verdict, isApproved: boolean): boolean {
  return reason === 'NeedsReplan' || (reason === 'Progressing' && isApproved);
}

/** The same in mode Sync: the migration stays live, and only rows that are durable are remembered. */
async function concludeInStep(
  attempt: Attempt,
  finished: Finished,
  outcomes: readonly Outcome[],
): Promise<number | undefined> {
  const { parts, status } = attempt;
  if (outcomes.some(({ copiedNow }) => copiedNow === true)) status.noteSync();
  await status.conclude(verdictOn(attempt, finished, outcomes), finished.journal);
  attempt.unsaved.clear();
  if (remember(attempt, { ...finished, outcomes })) return 0;
  const { wakeAfterMs } = finished.result;
  return nextRunMs({ outcomes, hasEffect: true, wakeAfterMs }, parts.waitingRetryMs);
}

/** What the status says after these outcomes. */
export function verdictOn(
  { migration }: Pick<Attempt, 'migration'>,
  { approval, journal, result }: Finished,
  outcomes: readonly Outcome[],
): Verdict {
  const { dryRun, undo } = migration.spec;
  const { loss } = journal;
  const counts = journal.counts();
  if (undo === true) return undone({ counts, outcomes, loss });
  const awaited =
    needsApproval(migration) && approval.isPlan ? awaitedOf(migration, approval.digest(outcomes)) : undefined;
  const known = { counts, outcomes, dryRun, loss, awaited, isKeptInStep: isKeptInStep(migration) };
  return concluding({ ...result, ...known });
}

/** The plan in the status: that of a dry run, or one that waits for approval. */
function planShown(
  { migration }: Pick<Attempt, 'migration'>,
  { approval, result: { plan } }: Finished,
  outcomes: readonly Outcome[],
): (PlanTotals & { readonly digest: string }) | undefined {
  if (plan === undefined || !(migration.spec.dryRun || hasWork(outcomes))) return undefined;
  return { ...plan, digest: approval.digest(outcomes) };
}

function awaitedOf({ metadata, spec }: SecretMigration, digest: string): AwaitedPlan {
  const { name, namespace } = metadata;
  const named = spec.approval?.digest;
  if (named === undefined) return { approved: 'nothing', digest, name, namespace };
  return { approved: named === digest ? 'this plan' : 'another plan', digest, name, namespace };
}

/** Milliseconds until a document is to be tried again, until the run asked to be woken, or for documents that come later. */
function nextRunMs(
  run: {
    readonly outcomes: readonly Outcome[];
    readonly hasEffect: boolean;
    readonly wakeAfterMs: number | undefined;
  },
  laterMs: number,
): number | undefined {
  const { outcomes, hasEffect, wakeAfterMs } = run;
  const waits = [
    ...(wakeAfterMs === undefined ? [] : [wakeAfterMs]),
    ...(outcomes.some(({ retry }) => retry === 'soon') ? [RETRY_SOON_MS] : []),
    ...(outcomes.some(({ retry }) => retry === 'later') || !hasEffect ? [laterMs] : []),
  ];
  return waits.length === 0 ? undefined : Math.min(...waits);
}

/** The run had no effect; documents that come later can change that. */
function isIdle({ reason, ready }: Verdict): boolean {
  return reason === 'NothingMoved' && ready === 'False';
}

function logInventory(logger: Logger, { discovered, selected, leftOut }: InventoryCounts): void {
  logger.info('documents accounted for', { discovered, selected, ...Object.fromEntries(leftOut) });
}

async function publishFailure(
  attempt: Attempt,
  journal: MigrationJournal | undefined,
  failure: unknown,
): Promise<void> {
  const { task, context } = attempt;
  if (isAbort(failure, context.signal)) {
    // Another process may lead now, so only the log tells.
    const { count } = attempt.removed;
    if (count > 0) context.logger.info('run ended while it removed sources', { removed: count });
    return;
  }
  if (task.kind === 'wait' || task.kind === 'suspend' || task.kind === 'endFallback') return;
  if (isSuperseded(failure)) {
    await handOver(attempt, journal);
    return;
  }
  tellRemovals(attempt, journal);
  // Failed maintenance is retried; the verdict of the completed run stays valid.
  if (task.kind !== 'maintain') await concludeFailing(attempt, journal, failure);
}

/** True when another writer changed or deleted the object: the next reconcile reads the new state. */
function isSuperseded(failure: unknown): boolean {
  return hasCode(failure, 'VERSION_CONFLICT') || hasCode(failure, 'NOT_FOUND');
}

/** If reports cannot be stored, the status keeps its current table, so that the failure is shown anyway. */
async function concludeFailing(
  { status, unsaved }: Attempt,
  journal: MigrationJournal | undefined,
  failure: unknown,
): Promise<void> {
  let stored = journal;
  try {
    if (journal !== undefined) await storeReports(journal, status);
  } catch {
    stored = undefined; // The next run writes the reports again, and throws if it still fails.
  }
  await status.conclude(hasCode(failure, 'RATE_LIMITED') ? slowedDown(failure) : failing(failure), stored);
  if (stored !== undefined) unsaved.clear();
}

/**
 * Writes the rows of a run to the current object, for the next run: only they record which sources this run removed, and a
 * suspended migration shows its last rows while it is suspended. Without a current object, an event and the log tell.
 */
async function handOver(attempt: Attempt, journal: MigrationJournal | undefined): Promise<void> {
  if (journal === undefined) return;
  const { parts, migration, status, stop } = attempt;
  const { metadata } = migration;
  const current = await readMigration(parts.migrations, objectKey(metadata), stop.finishing);
  if (current?.metadata.uid !== metadata.uid || current.metadata.deletionTimestamp !== undefined) {
    parts.halfRemoved.forget(metadata);
    if (removesSources(migration) && !migration.spec.dryRun)
      tellDeleted(metadata, removalsIn(journal.outcomes()), reportOf(attempt));
    return;
  }
  tellRemovals(attempt, journal);
  status.continueWith(current);
  await storeReports(journal, status);
  await status.storeProgress(journal);
  attempt.unsaved.clear();
}
