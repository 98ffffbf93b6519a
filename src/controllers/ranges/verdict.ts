import { CONDITION_REASONS, isConditionReason } from '#src/api/v1alpha1/conditions.ts';
import { OperatorError } from '#src/errors.ts';
import type { ConditionReason } from '#src/errors/reasons.ts';
import { isBalanced } from '#src/core/inventory.ts';
import { readyOf } from '../conditions.ts';
import { lossMessage } from '../migration/messages.ts';
import { countsMessage, nothingSelected, verdict, type Verdict } from '../migration/verdict.ts';
import type { RangeRead } from './read.ts';
import type { RangeSums } from './sums.ts';

/** What a range that is over can say: the first of these that one says is the verdict on all of them. */
const WORST: readonly ConditionReason[] = ['IntegrityViolated', 'PartiallyFailed', 'ConflictsFound'];
/** A range that says this is done. */
const DONE: ReadonlySet<string> = new Set(['Completed', 'NothingSelected', 'NothingMoved']);

/**
 * The verdict on ranges that have all told their end. Completed only if every range completed, and the documents that all ranges
 * account for are those that have rows. Throws `INVARIANT` if they are not.
 */
export function verdictOn(ranges: readonly RangeRead[], sums: RangeSums): Verdict {
  const counts = sums.counts();
  const done = countsMessage(counts);
  const undone = ranges.flatMap((range) => {
    const ready = readyOf(range.status);
    return ready === undefined || !DONE.has(ready.reason) ? [{ range, ready }] : [];
  });
  const [first] = undone.toSorted((left, right) => rankOf(left.ready?.reason) - rankOf(right.ready?.reason));
  if (first !== undefined) return ofRange(first, { done, isStalled: undone.every(isStalled) });
  if (sums.loss !== undefined)
    return {
      ...verdict('False', 'False', 'ReportsIncomplete', `${done} ${lossMessage(sums.loss)}`),
      stalled: true,
    };
  if (counts.total === 0) return nothingSelected();
  requireBalance(ranges, sums);
  const some = ranges.filter(({ status }) => (status.summary?.total ?? 0) > 0);
  const idle = some.map(({ status }) => readyOf(status)).filter((ready) => ready?.reason === 'NothingMoved');
  const [moved] = idle;
  return moved !== undefined && idle.length === some.length
    ? verdict(
        moved.status === 'True' ? 'True' : 'False',
        moved.status === 'True' ? 'True' : 'False',
        'NothingMoved',
        moved.message,
      )
    : verdict('True', 'True', 'Completed', done);
}

interface Undone {
  readonly range: RangeRead;
  readonly ready: ReturnType<typeof readyOf>;
}

/** Troubles of documents after those of a whole backend, which every range has. */
function rankOf(reason: string | undefined): number {
  const rank = WORST.findIndex((each) => each === reason);
  if (rank >= 0) return rank === 0 ? 0 : rank + 1;
  return reason === 'Progressing' ? WORST.length + 1 : 1;
}

function ofRange(
  { range: { range }, ready }: Undone,
  { done, isStalled: stalled }: { readonly done: string; readonly isStalled: boolean },
): Verdict {
  const { reason, status, message } = saidBy(ready);
  const succeeded = status === 'False' ? succeededOf(reason) : 'Unknown';
  const text = `${done} Range ${range.index} of ${range.count}: ${message}`;
  const base = verdict(status, succeeded, reason, text);
  const goesOn = status === 'False' && !stalled && isBackend(reason);
  return { ...base, stalled, reconciling: base.reconciling || goesOn };
}

/** A range that is not done, and says nothing that this version knows, is under way. */
function saidBy(ready: Undone['ready']): {
  readonly reason: ConditionReason;
  readonly status: 'False' | 'Unknown';
  readonly message: string;
} {
  if (ready === undefined || !isConditionReason(ready.reason))
    return { reason: 'Progressing', status: 'Unknown', message: CONDITION_REASONS.Progressing };
  const { message, reason, status } = ready;
  return { reason, status: status === 'False' ? 'False' : 'Unknown', message };
}

/** As a single run says it: documents failed, or only the run could not go on. */
function succeededOf(reason: ConditionReason): Verdict['succeeded'] {
  return isBackend(reason) ? 'Unknown' : 'False';
}

function isBackend(reason: ConditionReason): boolean {
  return !WORST.includes(reason) && reason !== 'ReportsIncomplete';
}

function isStalled({ range: { status } }: Undone): boolean {
  return (
    status.conditions?.some(({ type, status: value }) => type === 'Stalled' && value === 'True') === true
  );
}

/** Each document that a range discovered has a row or a reason, and each row that a range counts is one of these. */
function requireBalance(ranges: readonly RangeRead[], sums: RangeSums): void {
  const inventory = sums.inventory();
  const documents = ranges.reduce((sum, { status }) => sum + (status.documents ?? 0), 0);
  if (inventory !== undefined && isBalanced(inventory) && inventory.selected === documents) return;
  const detail = 'The inventories of the ranges do not balance.';
  throw new OperatorError('INVARIANT', { op: 'ranges.inventory', detail });
}
