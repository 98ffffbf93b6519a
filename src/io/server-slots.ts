import type { Clock } from '#src/ports.ts';
import { onAbort } from './abort.ts';
import { Deadline } from './deadline.ts';
import { FairLine } from './fair-line.ts';
import { LearntWidth, type Ended } from './learnt-width.ts';

/** Requests to one server at once, at most: what one backend can ask for. */
const MOST_AT_ONCE = 128;
/** A request without a reply for this long, milliseconds, keeps no other one waiting. */
const OVERDUE_MS = 2_000;

/** One request that is under way. Say how it ended; disposing of it without that tells nothing about the server. */
export interface Slot extends Disposable {
  ended(how: Ended): void;
}

interface Open {
  readonly run: AbortSignal;
  readonly sentAt: number;
}

interface Waiter {
  readonly run: AbortSignal;
  readonly grant: (slot: Slot) => void;
}

export interface ServerSlotsOptions {
  readonly clock: Clock;
  /** Default: 128. */
  readonly most?: number;
}

/**
 * The requests to one server that are under way at once, of all backends and migrations that use it: as many as its replies
 * teach. The runs that wait get their slots alternately, so that one with thousands of documents does not hold up a small
 * one, and a run without a request under way gets a slot at once, also above what the replies teach: what others asked for,
 * and what was not answered, does not stop it. A run is known by the signal at the root of its deadlines, which stand still
 * while it waits.
 */
export class ServerSlots {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #learnt: LearntWidth;
  readonly #waiting = new FairLine<AbortSignal, Waiter>();
  /** The requests that count, the oldest one first. */
  readonly #open = new Set<Open>();
  readonly #openOfRun = new Map<AbortSignal, number>();
  #cancelTimer: (() => void) | undefined;

  constructor({ clock, most = MOST_AT_ONCE }: ServerSlotsOptions) {
    this.#clock = clock;
    this.#most = most;
    this.#learnt = new LearntWidth(most);
  }

  /** Requests that may be under way at once, besides one of each run. */
  get width(): number {
    return this.#learnt.width;
  }

  /** Requests that are under way, without those that others no longer wait for. */
  get underWay(): number {
    return this.#open.size;
  }

  /** Resolves when a request may be sent. Rejects with the signal's reason. */
  async acquire(signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    const run = Deadline.rootOf(signal);
    if ((this.#waiting.isEmpty && this.underWay < this.width) || this.#isFirstOf(run)) return this.#slot(run);
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiter: Waiter = { run, grant: resolve };
    this.#waiting.add(run, waiter);
    using _paused = Deadline.pause(signal);
    using _following = onAbort(signal, () => {
      this.#waiting.remove(run, waiter);
      reject(signal.reason);
    });
    this.#serve();
    return await promise;
  }

  #isFirstOf(run: AbortSignal): boolean {
    return !this.#openOfRun.has(run) && this.underWay < this.#most;
  }

  #slot(run: AbortSignal): Slot {
    const open: Open = { run, sentAt: this.#clock.monotonic() };
    this.#open.add(open);
    this.#openOfRun.set(run, (this.#openOfRun.get(run) ?? 0) + 1);
    const wasFull = this.underWay >= this.width;
    let isOpen = true;
    const ended = (how: Ended): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#learnt.note({ sentAt: open.sentAt, endedAt: this.#clock.monotonic(), ended: how, wasFull });
      this.#close(open);
      this.#serve();
      if (this.#isFirstOf(run)) this.#grant(this.#waiting.shiftOf(run));
    };
    return { ended, [Symbol.dispose]: () => ended('unknown') };
  }

  /** It counts no more. */
  #close(open: Open): void {
    if (!this.#open.delete(open)) return;
    const others = (this.#openOfRun.get(open.run) ?? 1) - 1;
    if (others > 0) this.#openOfRun.set(open.run, others);
    else this.#openOfRun.delete(open.run);
  }

  #grant(waiter: Waiter | undefined): void {
    waiter?.grant(this.#slot(waiter.run));
  }

  /** Grants what is free, and comes back when the oldest request is overdue. */
  #serve(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    while (!this.#waiting.isEmpty) {
      while (!this.#waiting.isEmpty && this.underWay < this.width) this.#grant(this.#waiting.shift());
      const [oldest] = this.#open;
      if (this.#waiting.isEmpty || oldest === undefined) return;
      const leftMs = oldest.sentAt + Math.max(OVERDUE_MS, this.#learnt.slowMs) - this.#clock.monotonic();
      if (leftMs > 0) {
        this.#cancelTimer = this.#clock.schedule(leftMs, () => this.#serve());
        return;
      }
      this.#close(oldest);
    }
  }
}
