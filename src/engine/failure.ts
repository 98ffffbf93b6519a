import { MAX_ROW_MESSAGE } from '#src/api/v1alpha1/status-row.ts';
import type { Outcome, State } from '#src/core/outcome.ts';
import { ERROR_CODES } from '#src/errors/codes.ts';
import { explain, shortened, shownCode } from '#src/errors/explain.ts';
import type { RowReason } from '#src/errors/reasons.ts';
import { errorOf, type OperatorError } from '#src/errors.ts';

/** The outcome of a document that expired before it was written. */
export const EXPIRED = {
  state: 'Skipped',
  reason: 'Expired',
  message: 'The value expired and was not copied.',
} as const satisfies Pick<Outcome, 'state' | 'reason' | 'message'>;

const RETRY = {
  conflict: 'soon',
  transient: 'soon',
  waiting: 'later',
  stalled: 'later',
  integrity: 'later',
  bug: 'later',
} as const satisfies Record<OperatorError['disposition'], Outcome['retry']>;

export function reasonOf(failure: OperatorError): RowReason {
  return ERROR_CODES[shownCode(failure)].rowReason;
}

/**
 * The outcome of a document whose step failed, in the state that it had reached. A quota of the server is not a failure of
 * the document: it stays Pending.
 */
export function failedOutcome(
  base: Omit<Outcome, 'state'>,
  failure: unknown,
  state: State = 'Failed',
): Outcome {
  const error = errorOf(failure);
  return {
    ...base,
    state: error.code === 'RATE_LIMITED' && state === 'Failed' ? 'Pending' : state,
    reason: reasonOf(error),
    message: explain(error, MAX_ROW_MESSAGE),
    retry: RETRY[error.disposition],
  };
}

/** The outcome with a note, which is never shortened, behind its message. */
export function noted(outcome: Outcome, note: string): Outcome {
  const room = MAX_ROW_MESSAGE - Buffer.byteLength(note) - 1;
  const message = outcome.message === undefined ? note : `${shortened(outcome.message, room)} ${note}`;
  return { ...outcome, message };
}
