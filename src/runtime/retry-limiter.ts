import { exponentialMs } from '#src/io/retry-delay.ts';
import type { Clock } from '#src/ports.ts';

export interface RetryLimits {
  /** First delay of a key; doubles with each failure. */
  readonly baseMs: number;
  readonly capMs: number;
  /** Retries of all keys together: a burst, then a rate per second. */
  readonly burst: number;
  readonly perSecond: number;
}

/** client-go's DefaultControllerRateLimiter (util/workqueue/default_rate_limiters.go). */
export const DEFAULT_RETRY_LIMITS: RetryLimits = { baseMs: 5, capMs: 1_000_000, burst: 100, perSecond: 10 };

/** How long a failed key waits: the longer of its own exponential delay and the common token bucket. */
export class RetryLimiter {
  readonly #limits: RetryLimits;
  readonly #clock: Clock;
  readonly #failures = new Map<string, number>();
  /** Monotonic time at which the bucket is (or was) full again. */
  #bucketFullAt = Number.NEGATIVE_INFINITY;

  constructor(limits: RetryLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Records a failure of the key and returns its delay in milliseconds. */
  nextMs(key: string): number {
    const failures = this.failures(key) + 1;
    this.#failures.set(key, failures);
    return Math.max(exponentialMs(this.#limits, failures), this.#reserve());
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  #reserve(): number {
    const now = this.#clock.monotonic();
    const { burst, perSecond } = this.#limits;
    this.#bucketFullAt = Math.max(this.#bucketFullAt, now) + 1000 / perSecond;
    return Math.max(0, this.#bucketFullAt - now - (burst * 1000) / perSecond);
  }
}
