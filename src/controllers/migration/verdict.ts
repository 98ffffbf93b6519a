import type { Reader } from '#src/backends/driver.ts';
import type { InventoryCounts } from '#src/core/inventory.ts';
import type { Counts, Outcome } from '#src/core/outcome.ts';
import { ERROR_CODES } from '#src/errors/codes.ts';
import { explain, shownCode } from '#src/errors/explain.ts';
import type { ConditionReason } from '#src/errors/reasons.ts';
import type { PlanTotals } from '#src/engine/plan/totals.ts';
import { errorOf } from '#src/errors.ts';
import type { Loss } from '#src/journal/loss.ts';
import { MAX_CONDITION_MESSAGE, type Statement } from '../conditions.ts';
import { hasWork } from './approval.ts';
import {
  approvalMessage,
  driftedIn,
  dryRunMessage,
  firstTroubles,
  listed,
  lossMessage,
  type AwaitedPlan,
} from './messages.ts';

/** The content of the conditions of a migration. */
export interface Verdict {
  readonly ready: 'True' | 'False' | 'Unknown';
  readonly succeeded: 'True' | 'False' | 'Unknown';
  readonly reason: ConditionReason;
  readonly message: string;
  readonly reconciling: boolean;
  readonly stalled: boolean;
  readonly suspended: boolean;
}

export function verdict(
  ready: Verdict['ready'],
  succeeded: Verdict['succeeded'],
  reason: ConditionReason,
  message: string,
): Verdict {
  const reconciling = ready === 'Unknown' && reason !== 'Suspended';
  return {
    ready,
    succeeded,
    reason,
    message,
    reconciling,
    stalled: false,
    suspended: reason === 'Suspended',
  };
}

/** `pace`: what slows the run down, see paceOf. */
export function progressing(counts: Counts, pace?: string): Verdict {
  const done = counts.total === 0 ? 'Listing documents' : verifiedOf(counts);
  const message = pace === undefined ? `${done}.` : `${done}; ${pace}.`;
  return verdict('Unknown', 'Unknown', 'Progressing', message);
}

/** The verdict on a run that a quota of a server ended: it goes on with what is not proven. */
export function slowedDown(failure: unknown): Verdict {
  return verdict('Unknown', 'Unknown', 'Progressing', explain(failure, MAX_CONDITION_MESSAGE));
}

/** The part of a driver lease that tells how fast its server lets it be. */
interface Paced {
  readonly title: string;
  readonly driver: Pick<Reader, 'acceptedPerSecond'>;
}

/** `SecretBackend bao accepts about 5 requests a second`, of each backend that refused requests; undefined if none did. */
export function paceOf(leases: readonly Paced[]): string | undefined {
  const paces = leases.flatMap(({ driver, title }) => {
    const rate = driver.acceptedPerSecond?.();
    // One digit: the text changes only with the quota.
    return rate === undefined
      ? []
      : [`${title} accepts about ${Number(rate.toPrecision(1))} requests a second`];
  });
  return paces.length === 0 ? undefined : [...new Set(paces)].join('; ');
}

export function suspended(): Verdict {
  return verdict('Unknown', 'Unknown', 'Suspended', 'spec.suspend is true. Set it to false to continue.');
}

/** The verdict on a failure of the whole migration or of a backend, not of one document. */
export function failing(failure: unknown): Verdict {
  const error = errorOf(failure);
  const message = explain(failure, MAX_CONDITION_MESSAGE);
  const base = verdict('False', 'Unknown', ERROR_CODES[shownCode(error)].conditionReason, message);
  const stalled = error.disposition === 'stalled';
  return { ...base, stalled, reconciling: !stalled };
}

/** The verdict when the API server refuses the rows of a run: the status keeps those of an earlier write. */
export function statusRefused(failure: unknown): Verdict {
  const verdictOnRequest = failing(failure);
  const message = `The API server refuses the rows of this run; older rows are shown. ${verdictOnRequest.message}`;
  return { ...verdictOnRequest, message };
}

export interface Finished {
  readonly counts: Counts;
  readonly outcomes: Iterable<Outcome>;
  readonly dryRun: boolean;
  readonly awaitsSoak: boolean;
  /** Both sides are kept in step: the run is one of many. */
  readonly isKeptInStep?: boolean | undefined;
  /** What is missing from the table; see `MigrationJournal.loss`. */
  readonly loss?: Loss | undefined;
  /** What a dry run would do, or a plan that waits for approval. */
  readonly plan?: Pick<PlanTotals, 'create' | 'adopt' | 'overwrite' | 'remove' | 'metadataLost'> | undefined;
  /** The plan that a person is to approve before anything is written. */
  readonly awaited?: AwaitedPlan | undefined;
  readonly inventory?: InventoryCounts | undefined;
}

/** The verdict on a run that finished. */
export function concluding(run: Finished): Verdict {
  const { counts } = run;
  const outcomes = [...run.outcomes];
  const kept = countKept(outcomes);
  const message = messageOf(run, outcomes, kept);
  if (counts.total === 0 && run.loss === undefined) return nothingSelected();
  return (
    awaitingApproval(run, outcomes) ??
    needingReplan(run, outcomes) ??
    ending(run, outcomes, { kept, message })
  );
}

export function nothingSelected(): Verdict {
  const message = 'The selection matches no document. Correct spec.select, or create the documents.';
  return verdict('False', 'False', 'NothingSelected', message);
}

/** The verdict on what became of the documents. */
function ending(
  run: Finished,
  outcomes: readonly Outcome[],
  { kept, message }: { readonly kept: Kept; readonly message: string },
): Verdict {
  const { counts } = run;
  const trouble = failureReason({ ...run, outcomes }, kept);
  if (trouble !== undefined) {
    const stalled = needsChange({ ...run, outcomes }, trouble, kept);
    return { ...verdict('False', 'False', trouble, message), stalled };
  }
  if (run.loss !== undefined) return reportsIncomplete(run, message, kept);
  if (run.dryRun) return verdict('True', 'Unknown', 'DryRunCompleted', message);
  if (isAllLeftAlone(outcomes)) return nothingMoved(outcomes);
  if (counts.pending + counts.copied + kept.soon > 0)
    return verdict('Unknown', 'Unknown', 'Progressing', message);
  if (run.awaitsSoak) return verdict('Unknown', 'Unknown', 'AwaitingSoak', message);
  if (run.isKeptInStep === true) return verdict('True', 'Unknown', 'Synced', message);
  return verdict('True', 'True', 'Completed', message);
}

/**
 * The verdict on a plan that a person is to approve: as a suspension, it is not a failure, and nobody works on it. Undefined if it
 * would change nothing, and while a document could not be read for a moment: then the plan is made again.
 */
function awaitingApproval(run: Finished, outcomes: readonly Outcome[]): Verdict | undefined {
  const { awaited, loss } = run;
  if (awaited === undefined || !hasWork(outcomes) || outcomes.some(({ retry }) => retry === 'soon'))
    return undefined;
  if (awaited.approved === 'this plan')
    return verdict('Unknown', 'Unknown', 'Progressing', 'The plan is approved, and is carried out next.');
  const lost = loss === undefined ? '' : `${lossMessage(loss)} `;
  return verdict('False', 'Unknown', 'AwaitingApproval', lost + approvalMessage(outcomes, run, awaited));
}

/** The verdict on an approved plan that is carried out as far as it can be: a new plan is made at once. */
function needingReplan({ awaited, counts }: Finished, outcomes: readonly Outcome[]): Verdict | undefined {
  const drifted = driftedIn(outcomes);
  if (awaited !== undefined || drifted === 0 || outcomes.some(({ retry }) => retry === 'soon'))
    return undefined;
  if (isViolated(outcomes)) return undefined;
  const which = drifted === 1 ? '1 document is' : `${drifted} documents are`;
  const message = `${verifiedOf(counts)}; ${which} not as they were when the plan was made, and nothing was done for them. A new plan is made, which a person must approve.`;
  return { ...verdict('False', 'Unknown', 'NeedsReplan', message), reconciling: true };
}

function messageOf(run: Finished, outcomes: readonly Outcome[], kept: Kept): string {
  const { counts, loss } = run;
  const done = run.dryRun
    ? dryRunMessage(outcomes, run)
    : `${run.isKeptInStep === true ? inStepOf(counts) : verifiedOf(counts)}${troubles(counts, kept)}.${firstTroubles(outcomes)}`;
  return loss === undefined ? done : `${done} ${lossMessage(loss)}`;
}

/** A run with a loss is not a success; while work remains it says what is missing. */
function reportsIncomplete({ counts, awaitsSoak }: Finished, message: string, kept: Kept): Verdict {
  if (counts.pending + counts.copied + kept.soon > 0)
    return verdict('Unknown', 'Unknown', 'Progressing', message);
  if (awaitsSoak) return verdict('Unknown', 'Unknown', 'AwaitingSoak', message);
  return { ...verdict('False', 'False', 'ReportsIncomplete', message), stalled: true };
}

/** True when source and destination of every document are the same place, so that nothing was copied or compared. */
function isAllLeftAlone(outcomes: readonly Outcome[]): boolean {
  const isLeftAlone = ({ reason }: Outcome): boolean => reason === 'NoRule' || reason === 'AlreadyRenamed';
  return outcomes.length > 0 && outcomes.every(isLeftAlone);
}

/** Documents that have their new names are where the migration wants them; without any, it has no effect. */
function nothingMoved(outcomes: readonly Outcome[]): Verdict {
  const renamed = outcomes.some(({ reason }) => reason === 'AlreadyRenamed');
  return renamed
    ? verdict(
        'True',
        'True',
        'NothingMoved',
        'Nothing was moved: the documents already have their new names.',
      )
    : verdict(
        'False',
        'False',
        'NothingMoved',
        'Nothing was moved: source and destination are the same place for every document. Use another destination, or give new names in spec.mapping.',
      );
}

/** `6/6 keys verified; 1 failed.`, of a migration that removes nothing. */
export function countsMessage(counts: Counts): string {
  return `${verifiedOf(counts)}${troubles(counts, { soon: 0, later: 0 })}.`;
}

/** `6/6 keys verified`; removed keys were verified before. */
function verifiedOf({ verified, removed, total }: Counts): string {
  return `${verified + removed}/${total} keys verified`;
}

function inStepOf({ verified, total }: Counts): string {
  return `${verified}/${total} keys in step`;
}

/**
 * Proven documents whose source should be removed but could not be: their rows need no work, but the migration is not done.
 * Grouped by when the removal is retried.
 */
interface Kept {
  readonly soon: number;
  readonly later: number;
}

function countKept(outcomes: Iterable<Outcome>): Kept {
  const kept = { soon: 0, later: 0 };
  for (const { state, retry } of outcomes) {
    if (state === 'Verified' && retry !== undefined) kept[retry === 'soon' ? 'soon' : 'later'] += 1;
  }
  return kept;
}

function failureReason({ counts, outcomes }: Finished, kept: Kept): ConditionReason | undefined {
  if (isViolated(outcomes)) return 'IntegrityViolated';
  if (counts.failed + counts.copied + kept.later > 0) return 'PartiallyFailed';
  return counts.conflict > 0 ? 'ConflictsFound' : undefined;
}

function isViolated(outcomes: Iterable<Outcome>): boolean {
  for (const { reason } of outcomes)
    if (reason === 'VerifyMismatch' || reason === 'DestinationLost') return true;
  return false;
}

/**
 * True when nothing proceeds until a person changes something, also where the operator looks again: Flux, Helm and Argo CD
 * then stop waiting. A right that is missing can be granted without anybody knowing of this migration.
 */
function needsChange(run: Finished, trouble: ConditionReason, kept: Kept): boolean {
  if (run.awaitsSoak || run.counts.pending + run.counts.copied + kept.soon > 0) return false;
  if (trouble !== 'PartiallyFailed') return true;
  return [...run.outcomes].every(({ retry = 'never' }) => retry === 'never');
}

function troubles(counts: Counts, kept: Kept): string {
  const sources = kept.soon + kept.later;
  return listed([
    [counts.failed, 'failed'],
    [counts.conflict, 'in conflict'],
    [counts.copied, 'copied but not verified'],
    [counts.pending, 'pending'],
    [counts.skipped, 'skipped'],
    [sources, `${sources === 1 ? 'source' : 'sources'} not removed yet`],
  ]);
}

/** The conditions of a verdict. What is kept in step does not end, so nothing says whether it succeeded. */
export function statementsOf(verdict: Verdict, isKeptInStep = false): Statement[] {
  const { reason, message } = verdict;
  const statements: Statement[] = [{ type: 'Ready', status: verdict.ready, reason, message }];
  if (!isKeptInStep) statements.push({ type: 'Succeeded', status: verdict.succeeded, reason, message });
  if (verdict.reconciling) statements.push({ type: 'Reconciling', status: 'True', reason, message });
  if (verdict.stalled) statements.push({ type: 'Stalled', status: 'True', reason, message });
  if (verdict.suspended) statements.push({ type: 'Suspended', status: 'True', reason, message });
  return statements;
}
