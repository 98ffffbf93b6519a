import { exponentialMs } from '#src/io/retry-delay.ts';
import type { Clock } from '#src/ports.ts';

export interface RetryLimits {
  /** First delay of a key; doubles with each failure. */
  readonly baseMs: number;
  readonly capMs: number;
  /** Retries of all keys of a group together: a burst, then a rate per second. */
  readonly burst: number;
  readonly perSecond: number;
}

/** client-go's DefaultControllerRateLimiter (util/workqueue/default_rate_limiters.go). */
export const DEFAULT_RETRY_LIMITS: RetryLimits = { baseMs: 5, capMs: 1_000_000, burst: 100, perSecond: 10 };

/** Fewer buckets than this are not swept. */
const FEW_BUCKETS = 100;

/**
 * How long a failed key waits: the longer of its own exponential delay and the token bucket of its group. Only keys that
 * failed and buckets that are not full take memory.
 */
export class RetryLimiter {
  readonly #limits: RetryLimits;
  readonly #clock: Clock;
  readonly #failures = new Map<string, number>();
  readonly #groupOf: (key: string) => string;
  /** By group: the monotonic time at which its bucket is full again. */
  readonly #bucketFullAt = new Map<string, number>();
  #bucketsToSweep = FEW_BUCKETS;

  /** Default of `groupOf`: all keys share one bucket. */
  constructor(limits: RetryLimits, clock: Clock, groupOf: (key: string) => string = () => '') {
    this.#limits = limits;
    this.#clock = clock;
    this.#groupOf = groupOf;
  }

  /** Records a failure of the key and returns its delay in milliseconds. */
  nextMs(key: string): number {
    const failures = this.failures(key) + 1;
    this.#failures.set(key, failures);
    return Math.max(exponentialMs(this.#limits, failures), this.#reserve(this.#groupOf(key)));
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  #reserve(group: string): number {
    const now = this.#clock.monotonic();
    const { burst, perSecond } = this.#limits;
    const fullAt = Math.max(this.#bucketFullAt.get(group) ?? now, now) + 1000 / perSecond;
    this.#bucketFullAt.set(group, fullAt);
    this.#sweep(now);
    return Math.max(0, fullAt - now - (burst * 1000) / perSecond);
  }

  /** Forgets full buckets each time their number has doubled. */
  #sweep(now: number): void {
    if (this.#bucketFullAt.size < this.#bucketsToSweep) return;
    for (const [group, fullAt] of this.#bucketFullAt) if (fullAt <= now) this.#bucketFullAt.delete(group);
    this.#bucketsToSweep = Math.max(FEW_BUCKETS, 2 * this.#bucketFullAt.size);
  }
}
