/** How often a store that is only followed is looked through. */
const INTERVAL_MS = 3_600_000;

/** When each store was last looked through for kept copies that expired. One for all runs of the process. */
export class Sweeps {
  readonly #last = new Map<string, number>();

  /** True if the last time is an hour ago, or not known. `nowMs`: monotonic. */
  isDue(store: string, nowMs: number): boolean {
    const last = this.#last.get(store);
    return last === undefined || nowMs - last >= INTERVAL_MS;
  }

  /** The store is looked through now. */
  note(store: string, nowMs: number): void {
    this.#last.set(store, nowMs);
  }
}
