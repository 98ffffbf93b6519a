import { OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';

/**
 * A signal that follows the caller's signal and also aborts when `timeoutMs` pass without `touch`. Untouched it is a
 * total deadline, touched at every byte it is an idle timer. Dispose it, or its timer and listener stay behind.
 */
export class Deadline implements Disposable {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #parent: AbortSignal;
  readonly #controller = new AbortController();
  #startedAt: number;
  #cancelTimer: () => void;
  #expired = false;

  constructor(clock: Clock, timeoutMs: number, parent: AbortSignal) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#parent = parent;
    this.#startedAt = clock.monotonic();
    this.#cancelTimer = clock.schedule(timeoutMs, this.#onTimer);
    if (parent.aborted) this.#onParentAbort();
    else parent.addEventListener('abort', this.#onParentAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True when the time ran out, as opposed to the caller's abort. */
  get expired(): boolean {
    return this.#expired;
  }

  get remainingMs(): number {
    return Math.max(0, this.#startedAt + this.#timeoutMs - this.#clock.monotonic());
  }

  /** Starts the time anew. Cheap: the one timer looks at the new start when it fires. */
  touch(): void {
    this.#startedAt = this.#clock.monotonic();
  }

  [Symbol.dispose](): void {
    this.#cancelTimer();
    this.#parent.removeEventListener('abort', this.#onParentAbort);
  }

  readonly #onTimer = (): void => {
    const remainingMs = this.remainingMs;
    if (remainingMs > 0) {
      this.#cancelTimer = this.#clock.schedule(remainingMs, this.#onTimer);
      return;
    }
    this.#expired = true;
    this.#controller.abort(new OperatorError('DEADLINE', { op: 'kube.deadline' }));
  };

  readonly #onParentAbort = (): void => {
    this.#controller.abort(this.#parent.reason);
  };
}
