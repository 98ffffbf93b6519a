import { ENVELOPE_BYTES, type Weight } from './row-bytes.ts';

/** Names of documents that left a shard and are still in its list, at most, beside as many as are there. */
const MAX_LEFT = 32;

/** What is known of one shard: who is there, and how much. */
export class Shard {
  #names: string[] = [];
  #documents = 0;
  #rows = 0;
  #keys = 0;
  #size = ENVELOPE_BYTES;

  /** The documents, and some that left; one that came back can be twice. */
  get names(): readonly string[] {
    return this.#names;
  }

  get rows(): number {
    return this.#rows;
  }

  get keys(): number {
    return this.#keys;
  }

  /** Bytes that its report may need. */
  get size(): number {
    return this.#size;
  }

  /** A document comes. `isHere` tells which others are still here, in case too many have left. */
  enter(name: string, isHere: (name: string) => boolean): void {
    if (this.#names.length > 2 * this.#documents + MAX_LEFT)
      this.#names = [...new Set(this.#names)].filter(isHere);
    this.#names.push(name);
    this.#documents += 1;
  }

  leave(): void {
    this.#documents -= 1;
  }

  count(weight: Weight, times: 1 | -1): void {
    this.#rows += times * weight.rows;
    this.#keys += times * weight.keys;
    this.#size += times * weight.size;
  }
}
