import { backoffMs } from '#src/io/retry-delay.ts';
import type { Clock, Random } from '#src/ports.ts';

export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
  /** A failure after this time without failures starts again at `baseMs`. */
  readonly resetAfterMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** Exponential delays with full jitter, for one loop: each `nextMs` is drawn from twice the previous range. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;
  #lastFailureAt = Number.NEGATIVE_INFINITY;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Records a failure and returns how long to wait, at least `atLeastMs` (what the server asked for). */
  nextMs(atLeastMs = 0): number {
    const { baseMs, capMs, resetAfterMs, clock, random } = this.#options;
    const now = clock.monotonic();
    if (now - this.#lastFailureAt > resetAfterMs) this.#failures = 0;
    this.#lastFailureAt = now;
    this.#failures += 1;
    return backoffMs({ baseMs, capMs, jitter: 1 }, this.#failures, { random, retryAfterMs: atLeastMs });
  }
}
