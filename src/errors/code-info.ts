import type { Cause, ConditionReason, RowReason } from './reasons.ts';

/**
 * How the caller handles the error.
 * - `conflict`   another writer changed the object: read it and decide again, soon
 * - `transient`  a temporary failure: retry with back-off, honor `retryAfterMs`
 * - `waiting`    another object or a permission is missing: retry at a fixed interval, a watch wakes earlier
 * - `stalled`    requires a spec change: no retry until the generation of the object changes
 * - `integrity`  bytes are not what they must be: freeze the document, page an operator
 * - `bug`        a bug in Keyferry
 */
export type Disposition = 'conflict' | 'transient' | 'waiting' | 'stalled' | 'integrity' | 'bug';

export interface CodeInfo {
  readonly disposition: Disposition;
  /** The reason of the condition if a whole reconcile fails with this code. */
  readonly conditionReason: ConditionReason;
  /** The reason of the row if one document fails with this code. */
  readonly rowReason: RowReason;
  /** One sentence: what happened. Safe to show. */
  readonly summary: string;
  /** One sentence: what to do next. At most `MAX_HINT_BYTES`, so that it always fits into a message in full. */
  readonly hint: string;
}

/** Maximum length of the hint of a code, bytes of UTF-8. */
export const MAX_HINT_BYTES = 128;

interface Reasons {
  readonly condition: ConditionReason;
  readonly row: RowReason;
}

/** The reason for a code that never occurs there; if it does, that is our bug. */
export const NEVER = 'InternalError';

/** One reason for condition and row, or two if they differ in meaning. */
export function code(
  disposition: Disposition,
  reasons: Cause | Reasons,
  summary: string,
  hint: string,
): CodeInfo {
  const { condition, row } = typeof reasons === 'string' ? { condition: reasons, row: reasons } : reasons;
  return { disposition, conditionReason: condition, rowReason: row, summary, hint };
}
