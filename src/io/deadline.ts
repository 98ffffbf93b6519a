import { OperatorError, type ErrorDetail } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import { onAbort } from './abort.ts';

/** What a signal follows, and the deadline that it belongs to. */
interface Link {
  readonly parent: AbortSignal;
  readonly deadline?: Deadline;
}

/** So that code that gets only a signal can stop the time of its deadlines, and tell whose work it is. */
const links = new WeakMap<AbortSignal, Link>();

/** A signal of the same work as `parent` that also aborts with `other`: with the reason of the one that aborts first. */
export class EitherSignal implements Disposable {
  readonly #controller = new AbortController();
  readonly #following: readonly Disposable[];

  constructor(parent: AbortSignal, other: AbortSignal) {
    this.#following = [other, parent].map((each) => onAbort(each, () => this.#controller.abort(each.reason)));
    links.set(this.#controller.signal, { parent });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const following of this.#following) following[Symbol.dispose]();
  }
}

/**
 * A signal that follows the caller's signal and also aborts after `timeoutMs` without `touch`, with `DEADLINE` as its
 * reason. Without `touch` it is a total deadline; with a `touch` for every byte it is an idle timer. Dispose it, so that
 * no timer and no listener remains; AbortSignal.any would leave one on a long-lived signal.
 */
export class Deadline implements Disposable {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #parent: AbortSignal;
  readonly #about: ErrorDetail;
  readonly #controller = new AbortController();
  readonly #following: Disposable;
  #startedAt: number;
  #touched = false;
  #expired = false;
  /** Waits under way, and since when there are any. */
  #waits = 0;
  #waitingSince = 0;
  /** Disposed of. */
  #isOver = false;
  #cancelTimer: () => void;

  /** `about` describes the operation in the reason. */
  constructor(clock: Clock, timeoutMs: number, parent: AbortSignal, about: ErrorDetail = { op: 'deadline' }) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#parent = parent;
    this.#about = about;
    this.#startedAt = clock.monotonic();
    this.#cancelTimer = clock.schedule(timeoutMs, this.#onTimer);
    this.#following = onAbort(parent, () => this.#controller.abort(parent.reason));
    links.set(this.#controller.signal, { parent, deadline: this });
  }

  /** A deadline whose time `pause` does not stop: that of work that a server must not hold, however slow its quota is. */
  static unpausable(...given: ConstructorParameters<typeof Deadline>): Deadline {
    const deadline = new Deadline(...given);
    links.delete(deadline.signal);
    return deadline;
  }

  /** The signal that the deadlines of this one follow: that of the whole work, which has none or an unpausable one. */
  static rootOf(signal: AbortSignal): AbortSignal {
    const link = links.get(signal);
    return link === undefined ? signal : Deadline.rootOf(link.parent);
  }

  /**
   * Stops the time of all deadlines that this signal follows until the result is disposed of: a request that waits for
   * its turn uses nothing of the time in which a server must reply.
   */
  static pause(signal: AbortSignal): Disposable {
    const paused: Deadline[] = [];
    for (let link = links.get(signal); link !== undefined; link = links.get(link.parent))
      if (link.deadline !== undefined) paused.push(link.deadline);
    for (const deadline of paused) deadline.#pause();
    return { [Symbol.dispose]: () => paused.forEach((deadline) => deadline.#resume()) };
  }

  #pause(): void {
    this.#waits += 1;
    if (this.#waits > 1) return;
    this.#waitingSince = this.#clock.monotonic();
    this.#cancelTimer();
  }

  #resume(): void {
    this.#waits -= 1;
    if (this.#waits > 0) return;
    this.#startedAt += this.#clock.monotonic() - this.#waitingSince;
    if (!this.#isOver) this.#cancelTimer = this.#clock.schedule(this.remainingMs, this.#onTimer);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True when the timeout, not the caller, ended the work. */
  get expired(): boolean {
    return this.#expired && !this.#parent.aborted;
  }

  get remainingMs(): number {
    return Math.max(0, this.#startedAt + this.#timeoutMs - this.#clock.monotonic());
  }

  /** Restarts the timeout. Cheap: the one timer reads the new start when it fires. */
  touch(): void {
    this.#startedAt = this.#clock.monotonic();
    this.#touched = true;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#cancelTimer();
    this.#following[Symbol.dispose]();
  }

  readonly #onTimer = (): void => {
    if (this.#touched) {
      this.#touched = false;
      this.#cancelTimer = this.#clock.schedule(this.remainingMs, this.#onTimer);
      return;
    }
    this.#expired = true;
    this.#controller.abort(new OperatorError('DEADLINE', this.#about));
  };
}
