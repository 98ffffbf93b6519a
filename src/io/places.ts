import { onAbort } from './abort.ts';

/** Work that is under way at once, at most so much; the rest waits in the order of its calls. */
export class Places {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(most: number) {
    this.#free = most;
  }

  /** Resolves when the work may begin; dispose of the result when it has ended. Rejects with the reason of the signal. */
  async take(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    const free = this.takeNow();
    if (free !== undefined) return free;
    await this.#wait(signal);
    return this.#place();
  }

  /** The same if the work may begin at once; undefined if it must wait. */
  takeNow(): Disposable | undefined {
    if (this.#free === 0) return undefined;
    this.#free -= 1;
    return this.#place();
  }

  #place(): Disposable {
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#give();
      },
    };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    using _following = onAbort(signal, () => {
      // If it was removed already, its place was given to it, and the promise is settled.
      if (this.#waiting.delete(resolve)) reject(signal.reason);
    });
    await promise;
  }

  #give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
