import { OperatorError } from '#src/errors.ts';
import type { Clock, Random } from '#src/ports.ts';
import { onAbort } from './abort.ts';
import { Deadline } from './deadline.ts';
import { FairLine } from './fair-line.ts';
import { LearntRate, type Ticket, type QuotaHints } from './learnt-rate.ts';

/** A server that accepts nothing for this long is reported, instead of being waited for. */
const GIVE_UP_MS = 600_000;

export interface TurnsOptions {
  readonly clock: Clock;
  readonly random: Random;
}

/** One request that may be sent now. Say how it ended; disposing of it without that means that no reply came. */
export interface Turn extends Disposable {
  accepted(hints: QuotaHints): void;
  refused(hints: QuotaHints): void;
}

interface Waiter {
  readonly grant: (turn: Turn) => void;
  readonly refuse: (failure: unknown) => void;
}

/**
 * The requests to one server, one after the other as its quota allows. The runs that wait get their turns alternately: one
 * run with thousands of documents does not hold up a small one. A run is known by the signal at the root of its deadlines,
 * and its deadlines stand still while it waits.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #rate: LearntRate;
  /** By run. */
  readonly #waiting = new FairLine<AbortSignal, Waiter>();
  #cancelTimer: () => void = () => undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#rate = new LearntRate(options.random);
  }

  /** Requests a second, as learnt; undefined as long as the server refused none. */
  get perSecond(): number | undefined {
    return this.#rate.perSecond;
  }

  /** Requests that are worth having under way at once, up to `most`: what the server accepts in a second. */
  width(most: number): number {
    const { perSecond = most } = this.#rate;
    return Math.max(1, Math.min(most, Math.ceil(perSecond)));
  }

  /** True while the server refuses everything. */
  get isBlocked(): boolean {
    return this.#rate.blockedSince !== undefined;
  }

  /**
   * Resolves when the next request may be sent. Rejects with the signal's reason, or with `RATE_LIMITED` if the server has
   * accepted no request for ten minutes.
   */
  async next(signal: AbortSignal): Promise<Turn> {
    signal.throwIfAborted();
    const { clock } = this.#options;
    if (this.#waiting.isEmpty && this.#rate.nextAt() <= clock.monotonic()) return this.#turn(false);
    const run = Deadline.rootOf(signal);
    const { promise, resolve, reject } = Promise.withResolvers<Turn>();
    const waiter = { grant: resolve, refuse: reject };
    this.#waiting.add(run, waiter);
    using _paused = Deadline.pause(signal);
    using _following = onAbort(signal, () => {
      this.#waiting.remove(run, waiter);
      reject(signal.reason);
      this.#serve();
    });
    this.#serve();
    return await promise;
  }

  #turn(waited: boolean): Turn {
    const { clock } = this.#options;
    const ticket = this.#rate.send(clock.monotonic(), waited);
    let isOpen = true;
    const end = (report: (ticket: Ticket, now: number) => void): void => {
      if (!isOpen) return;
      isOpen = false;
      report(ticket, clock.monotonic());
      this.#serve();
    };
    return {
      accepted: (hints) => end((sent, now) => this.#rate.accepted(sent, now, hints)),
      refused: (hints) => end((sent, now) => this.#rate.refused(sent, now, hints)),
      [Symbol.dispose]: () => end((sent, now) => this.#rate.lost(sent, now)),
    };
  }

  /** Gives the turns that are due, and comes back when the next one is. */
  #serve(): void {
    this.#cancelTimer();
    const { clock } = this.#options;
    const now = clock.monotonic();
    const { blockedSince = now } = this.#rate;
    if (now - blockedSince > GIVE_UP_MS) this.#giveUp();
    while (!this.#waiting.isEmpty && this.#rate.nextAt() <= now)
      this.#waiting.shift()?.grant(this.#turn(true));
    const waitMs = this.#rate.nextAt() - now;
    if (this.#waiting.isEmpty || !Number.isFinite(waitMs)) return;
    this.#cancelTimer = clock.schedule(waitMs, () => this.#serve());
  }

  #giveUp(): void {
    const failure = new OperatorError('RATE_LIMITED', { op: 'turns.next', status: 429 });
    for (const { refuse } of this.#waiting.clear()) refuse(failure);
  }
}
