import { stopped } from '#src/errors/stopped.ts';
import { onAbort } from '#src/io/abort.ts';
import type { Clock } from '#src/ports.ts';

/** The use of a worker that others wait for, as the work sees it. */
export interface WorkerTurn {
  /** True from the moment that others have the worker. Ask it at each safe point, and call `again` there. */
  readonly isOver: boolean;
  /** Resolves when the work has a worker again, at once if it has one. Rejects with the reason of the signal. */
  again(signal: AbortSignal): Promise<void>;
  /** Aborts with `RUN_STOPPED` when the work must end, so that others can begin: it is queued again. */
  readonly ends: AbortSignal;
}

/** Where the work gets a worker again. */
export interface WorkerLine {
  resume(key: string, attend: () => Promise<void>): void;
  withdraw(key: string): void;
}

export interface TenureOptions {
  readonly key: string;
  readonly group: string;
  readonly line: WorkerLine;
  readonly clock: Clock;
}

/**
 * One reconcile, and whether it has a worker:
 *
 *   begins ─► held ──handOn──► without a worker: what is under way goes on ──again──► waits ──its turn──► held ─► ends
 */
export class Tenure implements WorkerTurn {
  readonly key: string;
  readonly group: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly #line: WorkerLine;
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  #heldSince: number | undefined;
  #passedAt: number;
  #free: (() => void) | undefined;
  #granted: (() => void) | undefined;
  #hasEnded = false;

  constructor({ key, group, line, clock }: TenureOptions) {
    this.key = key;
    this.group = group;
    this.#line = line;
    this.#clock = clock;
    this.startedAt = clock.monotonic();
    this.#passedAt = this.startedAt;
  }

  /** Since when it has a worker, monotonic milliseconds; undefined while it has none. */
  get heldSince(): number | undefined {
    return this.#heldSince;
  }

  /** When it was last at a safe point, or got a worker. */
  get passedAt(): number {
    return this.#passedAt;
  }

  /** True while it waits for a worker. */
  get isWaiting(): boolean {
    return this.#granted !== undefined;
  }

  get isOver(): boolean {
    this.#passedAt = this.#clock.monotonic();
    return this.#heldSince === undefined;
  }

  get ends(): AbortSignal {
    return this.#ending.signal;
  }

  /** A worker is here. Resolves when it is free again: the work ended, or others have the worker. */
  async hold(): Promise<void> {
    if (this.#hasEnded) return;
    this.#heldSince = this.#clock.monotonic();
    this.#passedAt = this.#heldSince;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#free = resolve;
    this.#grant();
    await promise;
  }

  #grant(): void {
    this.#granted?.();
    this.#granted = undefined;
  }

  /** Takes the worker away. What is under way goes on, up to the next safe point. */
  handOn(): void {
    this.#heldSince = undefined;
    this.#free?.();
  }

  async again(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.isOver) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#granted = resolve;
    this.#line.resume(this.key, async () => this.hold());
    using _following = onAbort(signal, () => {
      this.#granted = undefined;
      this.#line.withdraw(this.key);
      reject(signal.reason);
    });
    await promise;
  }

  /** Ends the work: others must begin. */
  stop(): void {
    this.#ending.abort(stopped('Other migrations wait for a worker. This one is queued again.'));
  }

  /** Lets it go on without a worker: nobody waits any more. */
  release(): void {
    if (!this.isWaiting) return;
    this.#line.withdraw(this.key);
    this.#heldSince = this.#clock.monotonic();
    this.#grant();
  }

  /** The work ended. */
  end(): void {
    this.#hasEnded = true;
    this.#heldSince = undefined;
    this.#free?.();
  }
}
