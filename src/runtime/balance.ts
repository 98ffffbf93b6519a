import type { LeaseClient, RequestLimits } from './lease-client.ts';
import type { StoredLease } from './lease-record.ts';

/** A replica that has so many slices more than another one gives it one of them: afterwards neither asks again. */
const UNFAIR = 2;

/**
 * Who holds how many slices, as the Leases showed it last. A replica gives away one slice at a time, to the one that asked for it;
 * and never its last one, because the asker has at least two less.
 */
export class Balance {
  readonly #leases: readonly LeaseClient[];
  readonly #identity: string;
  readonly #held = new Map<number, () => void>();
  #giving: number | undefined;

  constructor(leases: readonly LeaseClient[], identity: string) {
    this.#leases = leases;
    this.#identity = identity;
  }

  /** This replica works on the slice. Resolves when it must give it away. */
  async take(slice: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(slice, resolve);
    return promise;
  }

  /** Nothing of the slice is under way any more. */
  gave(slice: number): void {
    this.#held.delete(slice);
    if (this.#giving === slice) this.#giving = undefined;
  }

  /** Begins to give one slice away, or asks for one, or does nothing. Throws as `LeaseClient.ask`. */
  async look(limits: RequestLimits): Promise<void> {
    if (this.#giving !== undefined) return;
    const others = this.#countOthers();
    for (const [slice, give] of this.#held) {
      const asker = this.#leases[slice]?.lastSeen?.notes.asker;
      if (asker === undefined || asker === this.#identity) continue;
      if (this.#held.size - (others.get(asker) ?? 0) < UNFAIR) continue;
      this.#giving = slice;
      give();
      return;
    }
    await this.#ask(others, limits);
  }

  async #ask(others: ReadonlyMap<string, number>, limits: RequestLimits): Promise<void> {
    const [most] = [...others].toSorted(([, left], [, right]) => right - left);
    if (most === undefined || most[1] - this.#held.size < UNFAIR) return;
    const live = this.#leases.map((lease) => ({ lease, stored: this.#liveOf(lease) }));
    // What is free is taken, not asked for.
    if (live.some(({ stored }) => stored === undefined)) return;
    const [holder] = most;
    const theirs = live.filter(({ stored }) => stored?.record.holderIdentity === holder);
    // One at a time of one holder: what was asked of another one, it gives only if that is fair still.
    if (theirs.some(({ stored }) => stored?.notes.asker === this.#identity)) return;
    const target = theirs.findLast(({ stored }) => stored?.notes.asker === undefined) ?? theirs.at(-1);
    await target?.lease.ask(holder, limits);
  }

  #countOthers(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const lease of this.#leases) {
      const holder = this.#liveOf(lease)?.record.holderIdentity;
      if (holder !== undefined && holder !== this.#identity)
        counts.set(holder, (counts.get(holder) ?? 0) + 1);
    }
    return counts;
  }

  /** The Lease while a replica holds it that cuts the work as this one does: not released, and renewed in time. */
  #liveOf(lease: LeaseClient): StoredLease | undefined {
    const { lastSeen } = lease;
    if (lastSeen === undefined || lastSeen.record.holderIdentity === '') return undefined;
    if (lastSeen.notes.slices !== this.#leases.length) return undefined;
    return (lease.expiresInMs ?? 0) < 0 ? undefined : lastSeen;
  }
}
