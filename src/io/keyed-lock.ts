import { orAborted } from './abort.ts';

/** Runs the tasks of one key one after the other, in the order of their calls; those of different keys concurrently. */
export class KeyedLock {
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * Runs the task while no other task of any of these keys runs. Two callers never wait for each other. Rejects with the
   * reason of the signal if it aborts before the task has begun.
   */
  async runAll<T>(keys: readonly string[], task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const [first, ...rest] = [...new Set(keys)].toSorted();
    if (first === undefined) return task();
    return this.run(first, async () => this.runAll(rest, task, signal), signal);
  }

  async run<T>(key: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    // A caller that gives up does not let the next one in before its turn.
    const done = Promise.all([before, ended]);
    this.#last.set(key, done);
    void this.#forget(key, done);
    try {
      await (signal === undefined ? before : orAborted(before, signal));
      signal?.throwIfAborted();
      return await task();
    } finally {
      end();
    }
  }
  async #forget(key: string, done: Promise<unknown>): Promise<void> {
    await done;
    if (this.#last.get(key) === done) this.#last.delete(key);
  }
}
