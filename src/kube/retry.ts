import type { OperatorError } from '#src/errors.ts';
import { backoffMs, type BackoffShape } from '#src/io/retry-delay.ts';
import type { Random } from '#src/ports.ts';

/** client-go gives up after ten tries with Retry-After. */
const MAX_ATTEMPTS_ASKED_BY_SERVER = 10;
/** A server that is gone is the business of the caller's own back-off; this only bridges a restart of a replica. */
const MAX_ATTEMPTS_UNREACHABLE = 4;
const BACKOFF: BackoffShape = { baseMs: 200, capMs: 1_000, jitter: 0.5 };

/**
 * Milliseconds to wait before trying again after the `attempt`-th failure (from 1), or undefined to give up.
 * A write is repeated only when the server has provably not carried it out: it said 429, or no connection was made.
 */
export function retryDelayMs(
  problem: OperatorError,
  attempt: number,
  options: { readonly writes: boolean; readonly random: Random },
): number | undefined {
  if (attempt >= attemptsFor(problem, options.writes)) return undefined;
  return backoffMs(BACKOFF, attempt, { random: options.random, retryAfterMs: problem.retryAfterMs });
}

function attemptsFor(problem: OperatorError, writes: boolean): number {
  if (askedToWait(problem, writes)) return MAX_ATTEMPTS_ASKED_BY_SERVER;
  const unreachable = problem.code === 'BACKEND_UNREACHABLE' && !problem.indeterminate;
  return unreachable ? MAX_ATTEMPTS_UNREACHABLE : 1;
}

function askedToWait(problem: OperatorError, writes: boolean): boolean {
  if (problem.retryAfterMs === undefined) return false;
  return problem.code === 'RATE_LIMITED' || (problem.status === 503 && !writes);
}
