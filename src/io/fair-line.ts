/**
 * Those who wait, by group; a group and a waiter are anything but undefined. Groups take turns: one with a thousand waiters does
 * not hold up one that has a single one.
 */
export class FairLine<Group, Waiter> {
  /** The group whose turn it is next comes first. */
  readonly #groups = new Map<Group, Set<Waiter>>();

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  add(group: Group, waiter: Waiter): void {
    const waiters = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, waiters.add(waiter));
  }

  has(group: Group): boolean {
    return this.#groups.has(group);
  }

  /** The groups in the order of their turns. One that is served meanwhile goes to the end, and is yielded again there. */
  groups(): Iterable<Group> {
    return this.#groups.keys();
  }

  /** False for one that does not wait. */
  remove(group: Group, waiter: Waiter): boolean {
    const waiters = this.#groups.get(group);
    const wasWaiting = waiters?.delete(waiter) ?? false;
    if (waiters?.size === 0) this.#groups.delete(group);
    return wasWaiting;
  }

  /** Takes the next waiter out of the line; undefined if nobody waits. */
  shift(): Waiter | undefined {
    const [group] = this.#groups.keys();
    return group === undefined ? undefined : this.shiftOf(group);
  }

  /** The same of one group, which goes to the end. */
  shiftOf(group: Group): Waiter | undefined {
    const [waiter] = this.#groups.get(group) ?? [];
    if (waiter === undefined) return undefined;
    const waiters = this.#groups.get(group);
    this.remove(group, waiter);
    if (waiters === undefined || waiters.size === 0) return waiter;
    this.#groups.delete(group);
    this.#groups.set(group, waiters);
    return waiter;
  }

  /** Takes all waiters out of the line. */
  clear(): readonly Waiter[] {
    const all = [...this.#groups.values()].flatMap((waiters) => [...waiters]);
    this.#groups.clear();
    return all;
  }
}
