import { randomInt } from 'node:crypto';
import { textHash } from './text-hash.ts';

const SMALLEST = 16;
/** Of 4 slots, so many may be full. */
const FULL = 3;
const MAX_SEED = 2 ** 32;

/**
 * Finds the number of an item by its key, and keeps no key: `keyOf` makes it again from the number. About 15 bytes an item, where a
 * Map takes 40 and the key. Numbers are small: those of the items of one list.
 */
export class KeyIndex {
  readonly #keyOf: (item: number) => string | undefined;
  /** Nobody outside of this process can choose keys that collide. */
  readonly #seed = randomInt(MAX_SEED);
  /** Item + 1; 0: free. */
  #slots = new Uint32Array(SMALLEST);
  /** By item. */
  #hashes = new Uint32Array(SMALLEST);
  #size = 0;

  constructor(keyOf: (item: number) => string | undefined) {
    this.#keyOf = keyOf;
  }

  /** Adds an item with this key. Returns the item that has the key already, and adds nothing then. */
  add(item: number, key: string): number | undefined {
    if ((this.#size + 1) * 4 > this.#slots.length * FULL) this.#grow();
    const hash = textHash(key, this.#seed);
    const slot = this.#slotOf(key, hash);
    const found = this.#slots[slot] ?? 0;
    if (found > 0) return found - 1;
    if (item >= this.#hashes.length) this.#hashes = grown(this.#hashes, item + 1);
    this.#hashes[item] = hash;
    this.#slots[slot] = item + 1;
    this.#size += 1;
    return undefined;
  }

  find(key: string): number | undefined {
    const found = this.#slots[this.#slotOf(key, textHash(key, this.#seed))] ?? 0;
    return found > 0 ? found - 1 : undefined;
  }

  /** The slot of the key, or the free one where it belongs. */
  #slotOf(key: string, hash: number): number {
    const last = this.#slots.length - 1;
    for (let slot = hash & last; ; slot = (slot + 1) & last) {
      const item = (this.#slots[slot] ?? 0) - 1;
      if (item < 0) return slot;
      if (this.#hashes[item] === hash && this.#keyOf(item) === key) return slot;
    }
  }

  #grow(): void {
    const before = this.#slots;
    const last = before.length * 2 - 1;
    this.#slots = new Uint32Array(before.length * 2);
    for (const entry of before) {
      if (entry === 0) continue;
      let slot = (this.#hashes[entry - 1] ?? 0) & last;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & last;
      this.#slots[slot] = entry;
    }
  }
}

/** A copy with room for so many elements, and for half as many more. */
function grown(before: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const after = new Uint32Array(size + (size >> 1));
  after.set(before);
  return after;
}
