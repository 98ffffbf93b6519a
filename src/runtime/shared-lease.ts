import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf } from '#src/errors.ts';
import { onAbort, orAborted } from '#src/io/abort.ts';
import type { Metrics } from '#src/ports.ts';
import { LeaderElector, type LeaseOptions } from './lease.ts';
import { LeaseClient } from './lease-client.ts';
import { Leadership } from './leadership.ts';
import type { Terms } from './terms.ts';

export interface SharedLeaseOptions extends Pick<
  LeaseOptions,
  'client' | 'namespace' | 'name' | 'identity' | 'clock' | 'random' | 'logger'
> {
  /** The mandate of this process, to which the term is added while it holds the Lease. */
  readonly terms: Terms;
}

const LEASE_DURATION_MS = 15_000;
/** Between two looks at the Lease, by those who wait for it and by its holder. */
const LOOK_PERIOD_MS = 500;
/** It is kept so long without a task: the next one often follows at once. */
const IDLE_MS = 1_000;
/** A holder with tasks keeps it so long when another replica asks for it. */
const KEEP_MS = 5_000;
/** A Lease that was given back waits so long for the replica that asked for it. */
const RESERVED_MS = 6_000;

/** Whether a replica has the lock says nothing of whether it works. */
const NO_METRICS: Metrics = { count: () => undefined, observe: () => undefined, gauge: () => undefined };

/**
 * A lock that all replicas share: tasks of one process at a time run, side by side. The process holds a Lease while it has tasks.
 * When another replica asks for it, it begins no more of them, and gives it back when the last one has ended.
 */
export class SharedLease {
  readonly #options: SharedLeaseOptions;
  readonly #lease: LeaseClient;
  #isCompeting = false;
  #isOpen = false;
  #opened = Promise.withResolvers<void>();
  #running = 0;
  #waiting = 0;
  #usedAt = 0;

  constructor(options: SharedLeaseOptions) {
    this.#options = options;
    this.#lease = new LeaseClient({ ...options, leaseDurationMs: LEASE_DURATION_MS });
  }

  /** Runs the task while no other process runs one. Rejects with the reason of the signal if it aborts before the task has begun. */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#waiting += 1;
    try {
      while (!this.#isOpen) {
        if (!this.#isCompeting) void this.#hold();
        await orAborted(this.#opened.promise, signal);
      }
      signal.throwIfAborted();
      this.#running += 1;
    } finally {
      this.#waiting -= 1;
    }
    try {
      return await task();
    } finally {
      this.#running -= 1;
      this.#usedAt = this.#options.clock.monotonic();
    }
  }

  /** Competes for the Lease and holds it as long as there are tasks. Never rejects. */
  async #hold(): Promise<void> {
    this.#isCompeting = true;
    const { terms } = this.#options;
    const stop = new AbortController();
    using _ending = onAbort(terms.ended, () => stop.abort());
    const leadership = new Leadership({ ...this.#options, target: this.#lease.target });
    const elector = new LeaderElector({
      ...this.#options,
      leadership,
      leaseDurationMs: LEASE_DURATION_MS,
      lease: this.#lease,
      metrics: NO_METRICS,
      mayTake: () => this.#mayTake(),
      standbyPeriodMs: () => LOOK_PERIOD_MS,
    });
    const asking = this.#ask(elector, stop);
    try {
      await elector.run(stop.signal, async () => this.#lend(leadership));
    } catch (thrown) {
      this.#options.logger.warn('the lock of all replicas was lost', logFieldsOf(errorOf(thrown)));
    } finally {
      stop.abort();
      await asking;
      this.#isCompeting = false;
      // What waits still competes for it again.
      this.#wake();
    }
  }

  async #lend(term: Leadership): Promise<void> {
    const { clock, terms } = this.#options;
    terms.add(term);
    const startedAt = clock.monotonic();
    this.#usedAt = startedAt;
    this.#isOpen = true;
    this.#wake();
    const never = new AbortController().signal;
    while (!this.#isOver(startedAt)) await clock.sleep(LOOK_PERIOD_MS, never);
    this.#isOpen = false;
    while (this.#running > 0) await clock.sleep(LOOK_PERIOD_MS / 10, never);
    terms.delete(term);
  }

  #isOver(startedAt: number): boolean {
    const now = this.#options.clock.monotonic();
    if (this.#options.terms.ended.aborted) return true;
    if (this.#running === 0 && this.#waiting === 0) return now - this.#usedAt >= IDLE_MS;
    return this.#lease.lastSeen?.notes.asker !== undefined && now - startedAt >= KEEP_MS;
  }

  #wake(): void {
    const { resolve } = this.#opened;
    this.#opened = Promise.withResolvers();
    resolve();
  }

  #mayTake(): boolean {
    const { lastSeen, unchangedMs } = this.#lease;
    const asker = lastSeen?.notes.asker;
    if (this.#waiting === 0) return false;
    return asker === undefined || asker === this.#options.identity || unchangedMs > RESERVED_MS;
  }

  /** Asks the holder for the Lease, and ends the wait for it when no task waits any more. */
  async #ask(elector: LeaderElector, stop: AbortController): Promise<void> {
    const { clock, logger } = this.#options;
    while (!stop.signal.aborted && !elector.isLeader) {
      if (this.#waiting === 0) stop.abort();
      const { holder, lastSeen } = this.#lease;
      if (holder !== undefined && lastSeen !== undefined && lastSeen.notes.asker === undefined) {
        const limits = { timeoutMs: LEASE_DURATION_MS / 3, signal: stop.signal };
        // A conflict is normal: the holder renewed it meanwhile.
        await this.#lease
          .ask(holder, limits)
          .catch((thrown: unknown) =>
            logger.debug('a lease was not asked for', logFieldsOf(errorOf(thrown))),
          );
      }
      await clock.sleep(LOOK_PERIOD_MS, stop.signal).catch(() => undefined);
    }
  }
}
