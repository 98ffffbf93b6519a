import type { Cause, ConditionReason, RowReason } from './reasons.ts';

/**
 * What a reader of the error does with it.
 * - `conflict`   another writer changed the object: read it and decide again, soon
 * - `transient`  a temporary failure: retry with back-off, honour `retryAfterMs`
 * - `waiting`    another object or a permission is missing: retry at a fixed interval, a watch wakes earlier
 * - `stalled`    requires a spec change: no retry until the generation of the object changes
 * - `integrity`  bytes are not what they must be: freeze the document, page a human
 * - `bug`        ours
 */
export type Disposition = 'conflict' | 'transient' | 'waiting' | 'stalled' | 'integrity' | 'bug';

export interface CodeInfo {
  readonly disposition: Disposition;
  /** Reason of the condition when a whole reconcile fails with it. */
  readonly conditionReason: ConditionReason;
  /** Reason of the row when one document fails with it. */
  readonly rowReason: RowReason;
  /** One sentence: what happened. Safe to show. */
  readonly summary: string;
  /** One sentence: what to do next. At most `MAX_HINT_BYTES`, so that it fits into every message whole. */
  readonly hint: string;
}

/** Bytes of UTF-8 that the hint of a code may have. */
export const MAX_HINT_BYTES = 128;

interface Reasons {
  readonly condition: ConditionReason;
  readonly row: RowReason;
}

/** A code that never gets there; if one does, that is our bug. */
export const NEVER = 'InternalError';

/** One word for both columns, or two where condition and row have a real difference to tell. */
export function code(
  disposition: Disposition,
  reasons: Cause | Reasons,
  summary: string,
  hint: string,
): CodeInfo {
  const { condition, row } = typeof reasons === 'string' ? { condition: reasons, row: reasons } : reasons;
  return { disposition, conditionReason: condition, rowReason: row, summary, hint };
}
