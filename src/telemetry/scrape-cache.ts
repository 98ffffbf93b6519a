import type { Clock } from '#src/ports.ts';

/**
 * One result for all who ask: computed at most once in `maxAgeMs`, and never twice at a time. A failure is shared in the same
 * way, because it costs as much as a result.
 */
export class ScrapeCache<Result> {
  readonly #compute: () => Promise<Result>;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #maxAgeMs: number;
  #last: Promise<Result> | undefined;
  /** Monotonic milliseconds at the end of the last computation; undefined while one runs. */
  #endedAt: number | undefined;

  constructor(
    compute: () => Promise<Result>,
    { clock, maxAgeMs }: { readonly clock: Pick<Clock, 'monotonic'>; readonly maxAgeMs: number },
  ) {
    this.#compute = compute;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
  }

  async get(): Promise<Result> {
    if (this.#last !== undefined && !this.#isOld()) return this.#last;
    this.#endedAt = undefined;
    this.#last = this.#compute().finally(() => {
      this.#endedAt = this.#clock.monotonic();
    });
    return this.#last;
  }

  #isOld(): boolean {
    return this.#endedAt !== undefined && this.#clock.monotonic() - this.#endedAt >= this.#maxAgeMs;
  }
}
