import type { Clock } from '#src/ports.ts';

/**
 * The caller's signal and a time limit as one signal, for one call; disposing it leaves neither timer nor listener
 * behind, which AbortSignal.any would on a signal that lives long.
 */
export class CallDeadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #cancel: () => void;
  readonly #forward = (): void => {
    this.#controller.abort(this.#outer.reason);
  };
  #expired = false;

  constructor(clock: Clock, limitMs: number, outer: AbortSignal) {
    this.#outer = outer;
    outer.addEventListener('abort', this.#forward, { once: true });
    this.#cancel = clock.schedule(limitMs, () => {
      this.#expired = true;
      this.#controller.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True when it was the time limit, not the caller, that ended the call. */
  get expired(): boolean {
    return this.#expired && !this.#outer.aborted;
  }

  [Symbol.dispose](): void {
    this.#cancel();
    this.#outer.removeEventListener('abort', this.#forward);
  }
}
