/** How keys are shared out between their groups. */
export interface Sharing {
  /** The group of a key: a tenant, or the key itself. Pure. */
  readonly groupOf: (key: string) => string;
  /** Keys of one group that may be handed out at once; at least 1. */
  readonly mostPerGroup: number;
}

/** `low`: nobody waits for it, as for keys of a first list or of a retry. */
export type Priority = 'normal' | 'low';

/** Of so many keys, one is handed out whatever its priority, so that low ones proceed. */
const FAIR_TURN = 4;

/** A group with keys that wait. */
export interface WaitingGroup {
  readonly group: string;
  /** Its keys that were not begun. */
  readonly fresh: number;
  /** It has all that it may have. */
  readonly isFull: boolean;
}

interface Lane {
  readonly normal: Fifo;
  readonly low: LowFifo;
  /** Keys of `low` that were begun and wait to go on. */
  begun: number;
  /** Keys that were handed out and have not ended. */
  active: number;
}

/**
 * Waiting keys, handed out round robin over their groups. A group that has as many keys handed out as it may is passed
 * over, also while nothing else waits: it must not hold every worker when another group comes. Memory is that of the keys
 * that wait or are handed out.
 *
 * Keys of normal priority come before low ones, of all groups and of their own. But each fourth turn is that of the group that
 * waits longest, and of its low keys: however many normal keys come, from whichever group, low ones are handed out.
 */
export class Lanes {
  readonly #sharing: Sharing;
  readonly #lanes = new Map<string, Lane>();
  /** Groups with a key that may be handed out now; the group whose turn it is comes first. */
  readonly #ready = new Set<string>();
  /** Those of them with a key of normal priority. */
  readonly #readyNormal = new Set<string>();
  /** Keys that were begun and wait to go on. */
  readonly #begun = new Set<string>();
  #turn = 0;

  constructor(sharing: Sharing) {
    this.#sharing = sharing;
  }

  push(key: string, priority: Priority = 'normal'): void {
    const group = this.#sharing.groupOf(key);
    const lane = this.#lanes.get(group) ?? newLane();
    this.#lanes.set(group, lane);
    lane[priority].push(key);
    this.#update(group, lane);
  }

  /** A key that waits with low priority has normal priority from now on. */
  promote(key: string): void {
    this.#lanes.get(this.#sharing.groupOf(key))?.low.remove(key);
    this.push(key);
  }

  /** A key that was begun gave its place up and waits to go on; with low priority. */
  resume(key: string): void {
    this.#begun.add(key);
    this.push(key, 'low');
    const lane = this.#lanes.get(this.#sharing.groupOf(key));
    if (lane !== undefined) lane.begun += 1;
  }

  /** A key that was begun does not wait any more. */
  withdraw(key: string): void {
    const group = this.#sharing.groupOf(key);
    const lane = this.#lanes.get(group);
    if (lane === undefined || !this.#begun.delete(key)) return;
    lane.begun -= 1;
    lane.low.remove(key);
    this.#update(group, lane);
  }

  /** The groups with keys that wait, also those that have all they may have. */
  *waiting(): Generator<WaitingGroup> {
    for (const [group, { active, begun, low, normal }] of this.#lanes) {
      const waiting = normal.size + low.size;
      if (waiting > 0) yield { group, fresh: waiting - begun, isFull: active >= this.#sharing.mostPerGroup };
    }
  }

  /** The next key; undefined if none waits, or only keys of groups that have all they may have. */
  shift(): string | undefined {
    this.#turn = (this.#turn + 1) % FAIR_TURN;
    const isFair = this.#turn === 0;
    const [group] = isFair || this.#readyNormal.size === 0 ? this.#ready : this.#readyNormal;
    const lane = group === undefined ? undefined : this.#lanes.get(group);
    if (group === undefined || lane === undefined) return undefined;
    const key = isFair
      ? (lane.low.shift() ?? lane.normal.shift())
      : (lane.normal.shift() ?? lane.low.shift());
    this.#ready.delete(group);
    this.#readyNormal.delete(group);
    if (key !== undefined) this.#handedOut(lane, key);
    this.#update(group, lane);
    return key;
  }

  #handedOut(lane: Lane, key: string): void {
    lane.active += 1;
    if (this.#begun.delete(key)) lane.begun -= 1;
  }

  /** A key that was handed out has ended. True when another key may be handed out because of that. */
  end(key: string): boolean {
    const group = this.#sharing.groupOf(key);
    const lane = this.#lanes.get(group);
    if (lane === undefined) return false;
    lane.active -= 1;
    this.#update(group, lane);
    return this.#ready.has(group);
  }

  #update(group: string, { active, low, normal }: Lane): void {
    const waiting = normal.size + low.size;
    if (active < this.#sharing.mostPerGroup) {
      if (waiting > 0) this.#ready.add(group);
      if (normal.size > 0) this.#readyNormal.add(group);
    }
    if (waiting === 0) this.#ready.delete(group);
    if (waiting === 0 && active === 0) this.#lanes.delete(group);
  }
}

function newLane(): Lane {
  return { normal: new Fifo(), low: new LowFifo(), begun: 0, active: 0 };
}

/** First in, first out, without moving the other elements at each `shift`. */
class Fifo {
  #keys: string[] = [];
  #head = 0;

  get size(): number {
    return this.#keys.length - this.#head;
  }

  push(key: string): void {
    this.#keys.push(key);
  }

  shift(): string | undefined {
    const key = this.#keys[this.#head];
    if (key === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#keys.length) {
      this.#keys = this.#keys.slice(this.#head);
      this.#head = 0;
    }
    return key;
  }
}

/** The same, from which keys can be removed: they are passed over when their turn comes. */
class LowFifo {
  readonly #fifo = new Fifo();
  /** By key: how often it was removed and is still in the line, before its place if it was pushed again. */
  readonly #removed = new Map<string, number>();
  #removals = 0;

  get size(): number {
    return this.#fifo.size - this.#removals;
  }

  push(key: string): void {
    this.#fifo.push(key);
  }

  remove(key: string): void {
    this.#removed.set(key, (this.#removed.get(key) ?? 0) + 1);
    this.#removals += 1;
  }

  shift(): string | undefined {
    let key = this.#fifo.shift();
    while (key !== undefined && this.#wasRemoved(key)) key = this.#fifo.shift();
    return key;
  }

  #wasRemoved(key: string): boolean {
    const times = this.#removed.get(key) ?? 0;
    if (times === 0) return false;
    if (times === 1) this.#removed.delete(key);
    else this.#removed.set(key, times - 1);
    this.#removals -= 1;
    return true;
  }
}
