/** Runs the tasks of one key one after the other, in the order of their calls; those of different keys concurrently. */
export class KeyedLock {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs the task while no other task of any of these keys runs. Two callers never wait for each other. */
  async runAll<T>(keys: readonly string[], task: () => Promise<T>): Promise<T> {
    const [first, ...rest] = [...new Set(keys)].toSorted();
    if (first === undefined) return task();
    return this.run(first, async () => this.runAll(rest, task));
  }

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    this.#last.set(key, done);
    try {
      await before;
      return await task();
    } finally {
      finish();
      if (this.#last.get(key) === done) this.#last.delete(key);
    }
  }
}
