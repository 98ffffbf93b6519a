import type { OperatorError } from '#src/errors.ts';
import { backoffMs, type BackoffShape } from '#src/io/retry-delay.ts';
import type { Random } from '#src/ports.ts';

/** client-go gives up after ten tries with Retry-After. */
const MAX_ATTEMPTS_ASKED_BY_SERVER = 10;
/** Only bridges the restart of a server replica; the back-off of the caller handles longer outages. */
const MAX_ATTEMPTS_UNREACHABLE = 4;
const BACKOFF: BackoffShape = { baseMs: 200, capMs: 1_000, jitter: 0.5 };

/**
 * Milliseconds to wait before the retry after the `attempt`-th failure (from 1), or undefined to give up.
 * A write is repeated only if the server provably did not apply it: it replied 429, or there was no connection.
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
