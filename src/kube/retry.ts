import type { OperatorError } from '#src/errors.ts';
import type { Random } from '#src/ports.ts';

/** client-go gives up after ten tries with Retry-After. */
const MAX_ATTEMPTS_ASKED_BY_SERVER = 10;
/** A server that is gone is the business of the caller's own back-off; this only bridges a restart of a replica. */
const MAX_ATTEMPTS_UNREACHABLE = 4;
const UNREACHABLE_BASE_MS = 200;

/**
 * Milliseconds to wait before trying again after the `attempt`-th failure (from 1), or undefined to give up.
 * A write is repeated only when the server has provably not carried it out: it said 429, or no connection was made.
 */
export function retryDelayMs(
  problem: OperatorError,
  attempt: number,
  options: { readonly writes: boolean; readonly random: Random },
): number | undefined {
  if (askedToWait(problem, options.writes) && attempt < MAX_ATTEMPTS_ASKED_BY_SERVER) {
    // Up to a fifth later than asked, so that all who were refused do not come back at once.
    return (problem.retryAfterMs ?? 0) * (1 + options.random() / 5);
  }
  const unreachable = problem.code === 'BACKEND_UNREACHABLE' && !problem.indeterminate;
  if (unreachable && attempt < MAX_ATTEMPTS_UNREACHABLE) {
    return UNREACHABLE_BASE_MS * 2 ** (attempt - 1) * (0.5 + options.random() / 2);
  }
  return undefined;
}

function askedToWait(problem: OperatorError, writes: boolean): boolean {
  if (problem.retryAfterMs === undefined) return false;
  return problem.code === 'RATE_LIMITED' || (problem.status === 503 && !writes);
}

/** `Retry-After` in seconds (the API server sends no dates) → milliseconds. */
export function parseRetryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,6}$/.test(header)) return undefined;
  return Number(header) * 1000;
}
