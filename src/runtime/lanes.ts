/** How keys are shared out between their groups. */
export interface Sharing {
  /** The group of a key: a tenant, or the key itself. Pure. */
  readonly groupOf: (key: string) => string;
  /** Keys of one group that may be handed out at once; at least 1. */
  readonly mostPerGroup: number;
}

interface Lane {
  readonly waiting: Fifo;
  /** Keys that were handed out and have not ended. */
  active: number;
}

/**
 * Waiting keys, handed out round robin over their groups. A group that has as many keys handed out as it may is passed
 * over, also while nothing else waits: it must not hold every worker when another group comes. Memory is that of the keys
 * that wait or are handed out.
 */
export class Lanes {
  readonly #sharing: Sharing;
  readonly #lanes = new Map<string, Lane>();
  /** Groups with a key that may be handed out now; the group whose turn it is comes first. */
  readonly #ready = new Set<string>();

  constructor(sharing: Sharing) {
    this.#sharing = sharing;
  }

  push(key: string): void {
    const group = this.#sharing.groupOf(key);
    const lane = this.#lanes.get(group) ?? { waiting: new Fifo(), active: 0 };
    this.#lanes.set(group, lane);
    lane.waiting.push(key);
    this.#update(group, lane);
  }

  /** The next key; undefined if none waits, or only keys of groups that have all they may have. */
  shift(): string | undefined {
    for (const group of this.#ready) {
      const lane = this.#lanes.get(group);
      const key = lane?.waiting.shift();
      this.#ready.delete(group);
      if (lane === undefined || key === undefined) continue;
      lane.active += 1;
      this.#update(group, lane);
      return key;
    }
    return undefined;
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

  #update(group: string, { active, waiting }: Lane): void {
    if (waiting.size > 0 && active < this.#sharing.mostPerGroup) this.#ready.add(group);
    if (waiting.size === 0 && active === 0) this.#lanes.delete(group);
  }
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
