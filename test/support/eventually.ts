import { setTimeout as sleep } from 'node:timers/promises';

/** Thrown by a probe to stop waiting. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp';
}

export interface EventuallyOptions {
  /** Default 30,000. */
  readonly deadlineMs?: number;
  /** Default 25. */
  readonly pollMs?: number;
}

/**
 * Calls `probe` until it returns a value that is neither undefined nor false, and returns that value. Tries a probe
 * that throws again (a failed expectation, a server that is not up yet); after the deadline, throws with its last error
 * as the cause.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: EventuallyOptions = {},
): Promise<T> {
  const { deadlineMs = 30_000, pollMs = 25 } = options;
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    let lastError: unknown;
    try {
      const result = await probe();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      lastError = error;
    }
    if (performance.now() > deadline) throw timeoutError(what, deadlineMs, lastError);
    await sleep(pollMs);
  }
}

function timeoutError(what: string, deadlineMs: number, lastError: unknown): Error {
  const last = lastError instanceof Error ? ` Last: ${lastError.message}` : '';
  return new Error(`Not so after ${deadlineMs / 1000} s: ${what}.${last}`, { cause: lastError });
}
