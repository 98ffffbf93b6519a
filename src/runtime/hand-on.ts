import type { Clock } from '#src/ports.ts';
import type { WaitingGroup } from './lanes.ts';
import type { Tenure } from './tenure.ts';

/** How often it is looked, while keys wait, whether one can get a worker. */
const LOOK_EVERY_MS = 50;
/** A key that was not begun gets the worker of one that has had it for so long, */
const FIRST_SLICE_MS = 250;
/** and one that was begun gets it after this. */
const SLICE_MS = 2_000;
/** Without a safe point for so long, the work waits for a server. */
const HANGS_MS = 2_000;
/** No work that makes progress is ended before it has had this long. */
const LEAST_RUN_MS = 10_000;

export interface HandOnLimits {
  /** Reconciles that were begun and have no worker, at most. Each keeps what it has in memory. */
  readonly most: number;
  /** Those of one group. */
  readonly mostPerGroup: number;
  /** True if the work can be ended early: when there are as many as there may be. */
  readonly canEnd: boolean;
}

export interface HandOnOptions extends HandOnLimits {
  readonly clock: Clock;
  /** The groups with keys that wait, and whether a worker is free. */
  readonly line: { waiting(): Iterable<WaitingGroup>; readonly hasFreeWorker: boolean };
  readonly handOn: (tenure: Tenure) => void;
}

/**
 * Gives workers to those who wait. What takes long, or waits for a server that does not answer, keeps its place and
 * what it has found, but not its worker: what is short is done meanwhile. With too many in that state, one is ended and queued
 * again, first of all one that waits for a server; each time it may run twice as long before that happens again.
 */
export class HandOn {
  readonly #options: HandOnOptions;
  readonly #tenures = new Set<Tenure>();
  readonly #ended = new Map<string, number>();
  #isLooking = false;

  constructor(options: HandOnOptions) {
    this.#options = options;
  }

  begin(tenure: Tenure): void {
    this.#tenures.add(tenure);
  }

  end(tenure: Tenure): void {
    this.#tenures.delete(tenure);
    if (!tenure.ends.aborted) this.#ended.delete(tenure.key);
  }

  /** A key begins to wait: looks from now on whether it must wait for long, until none waits. */
  look(): void {
    this.#isLooking ||= this.#lookLater();
  }

  #lookLater(): true {
    this.#options.clock.schedule(LOOK_EVERY_MS, () => {
      this.#isLooking = false;
      for (const group of this.#options.line.waiting()) {
        this.#isLooking = true;
        this.#serve(group);
      }
      if (this.#isLooking) this.#lookLater();
    });
    return true;
  }

  #serve({ group, fresh, isFull }: WaitingGroup): void {
    const now = this.#options.clock.monotonic();
    if (!isFull && this.#options.line.hasFreeWorker) return;
    const slice = fresh > 0 ? FIRST_SLICE_MS : SLICE_MS;
    const held = [...this.#tenures].filter(
      ({ heldSince = now, group: of }) => now - heldSince >= slice && (!isFull || of === group),
    );
    const [longest] = held.toSorted((left, right) => (left.heldSince ?? 0) - (right.heldSince ?? 0));
    if (longest === undefined) return;
    if (this.#hasRoomFor(longest.group)) this.#options.handOn(longest);
    else if (fresh > 0) this.#makeRoom(longest.group, now);
  }

  #hasRoomFor(group: string): boolean {
    const without = this.#without();
    const { most, mostPerGroup } = this.#options;
    return without.length < most && without.filter((each) => each.group === group).length < mostPerGroup;
  }

  #without(): readonly Tenure[] {
    return [...this.#tenures].filter(({ heldSince }) => heldSince === undefined);
  }

  /** Ends the work of the group that was longest without a safe point; of any group, if all together are too many. */
  #makeRoom(group: string, now: number): void {
    const { canEnd, most } = this.#options;
    const without = this.#without();
    if (!canEnd || without.some(({ ends }) => ends.aborted)) return;
    const [first] = without
      .filter((each) => without.length >= most || each.group === group)
      .filter((each) => this.#mayEnd(each, now))
      .toSorted((left, right) => left.passedAt - right.passedAt);
    if (first === undefined) return;
    this.#ended.set(first.key, (this.#ended.get(first.key) ?? 0) + 1);
    first.stop();
  }

  #mayEnd({ key, isWaiting, passedAt, startedAt }: Tenure, now: number): boolean {
    const times = 2 ** Math.min(20, this.#ended.get(key) ?? 0);
    const hangs = !isWaiting && now - passedAt >= HANGS_MS;
    return now - startedAt >= (hangs ? HANGS_MS : LEAST_RUN_MS) * times;
  }
}
