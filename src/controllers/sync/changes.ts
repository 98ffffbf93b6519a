import type { Side } from '#src/core/sync/observed.ts';
import type { Clock } from '#src/ports.ts';
import type { Mark } from './marks.ts';

/** What was seen of a document and is not carried to the other side yet: the last mark of each side that differs. */
export interface SeenChange {
  readonly marks: Readonly<Partial<Record<Side, Mark>>>;
  /** When the first of them was seen, monotonic milliseconds. */
  readonly since: number;
}

/**
 * The documents of a migration that may have changed: those that wait, and those that were taken and are not settled yet. A
 * document can be both, if it changed again after it was taken.
 */
export class Changes {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #waiting = new Map<string, SeenChange>();
  readonly #taken = new Map<string, SeenChange>();
  /** Since when documents fail that are tried again soon: a pass finds also those that no change was seen of. */
  readonly #failing = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** True if a document waits to be taken. */
  get isDirty(): boolean {
    return this.#waiting.size > 0;
  }

  /** Since when the oldest change waits or is under way, or a document fails; monotonic milliseconds. */
  get oldestAt(): number | undefined {
    let oldest: number | undefined;
    const note = (since: number): void => {
      if (oldest === undefined || since < oldest) oldest = since;
    };
    for (const changes of [this.#waiting, this.#taken]) for (const { since } of changes.values()) note(since);
    for (const since of this.#failing.values()) note(since);
    return oldest;
  }

  /** It failed and is tried again soon. */
  noteFailing(name: string): void {
    if (!this.#failing.has(name)) this.#failing.set(name, this.#clock.monotonic());
  }

  /** No other document exists that can fail. */
  keepFailing(names: ReadonlySet<string>): void {
    for (const name of this.#failing.keys()) if (!names.has(name)) this.#failing.delete(name);
  }

  /** The names that wait or are taken. */
  *names(): Generator<string> {
    yield* this.#waiting.keys();
    for (const name of this.#taken.keys()) if (!this.#waiting.has(name)) yield name;
  }

  has(name: string): boolean {
    return this.#waiting.has(name) || this.#taken.has(name);
  }

  /** The mark of a change that waits. */
  waiting(name: string, side: Side): Mark | undefined {
    return this.#waiting.get(name)?.marks[side];
  }

  /** The mark that was seen last, of a change that waits or is taken. */
  last(name: string, side: Side): Mark | undefined {
    return this.waiting(name, side) ?? this.#taken.get(name)?.marks[side];
  }

  /** False if the same change waits already. */
  note(name: string, side: Side, mark: Mark): boolean {
    const before = this.#waiting.get(name);
    if (before?.marks[side] === mark) return false;
    const since = before?.since ?? this.#clock.monotonic();
    this.#waiting.set(name, { since, marks: { ...before?.marks, [side]: mark } });
    return true;
  }

  /** This side is again, or at last, as it is remembered. */
  drop(name: string, side: Side): void {
    const before = this.#waiting.get(name);
    if (before?.marks[side] === undefined) return;
    const { [side]: _dropped, ...marks } = before.marks;
    if (Object.keys(marks).length === 0) this.#waiting.delete(name);
    else this.#waiting.set(name, { ...before, marks });
  }

  /** All names that wait, and those that were taken before and neither settled nor put back: their work was cut off. */
  take(): ReadonlySet<string> {
    const names = new Set(this.names());
    for (const [name, change] of this.#waiting) this.#taken.set(name, merged(this.#taken.get(name), change));
    this.#waiting.clear();
    return names;
  }

  /** What was seen of a document that was taken; from now on it is not taken. */
  settle(name: string): SeenChange | undefined {
    this.#failing.delete(name);
    return this.#endTaken(name);
  }

  #endTaken(name: string): SeenChange | undefined {
    const change = this.#taken.get(name);
    this.#taken.delete(name);
    return change;
  }

  /** It waits again, since when it waited first. False if it was not taken. */
  putBack(name: string): boolean {
    const change = this.#endTaken(name);
    if (change === undefined) return false;
    this.#waiting.set(name, merged(change, this.#waiting.get(name) ?? change));
    return true;
  }

  forget(name: string): void {
    this.#waiting.delete(name);
    this.#taken.delete(name);
    this.#failing.delete(name);
  }
}

function merged(older: SeenChange | undefined, newer: SeenChange): SeenChange {
  return {
    since: Math.min(older?.since ?? newer.since, newer.since),
    marks: { ...older?.marks, ...newer.marks },
  };
}
