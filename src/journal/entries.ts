import { hasPrior, hasRow, NO_ENTRY, packEntry, unpackEntry, type Entry } from './packed-entry.ts';

/** All that the journal keeps of its documents, by name: a string each. Documents of which nothing is kept are not in it. */
export class Entries {
  readonly #packed = new Map<string, string>();
  #priors = 0;

  get(name: string): Entry {
    const packed = this.#packed.get(name);
    return packed === undefined ? NO_ENTRY : unpackEntry(packed);
  }

  put(name: string, entry: Entry): void {
    const before = this.#packed.get(name);
    if (before !== undefined && hasPrior(before)) this.#priors -= 1;
    if (entry.prior !== undefined) this.#priors += 1;
    if (entry.row === undefined && entry.prior === undefined) this.#packed.delete(name);
    else this.#packed.set(name, packEntry(entry));
  }

  hasRow(name: string): boolean {
    const packed = this.#packed.get(name);
    return packed !== undefined && hasRow(packed);
  }

  hasPrior(name: string): boolean {
    const packed = this.#packed.get(name);
    return packed !== undefined && hasPrior(packed);
  }

  /** Number of documents with a prior row. */
  get priors(): number {
    return this.#priors;
  }

  /** Names of the entries of which that is true. They can be changed meanwhile. */
  *names(isMeant: (packed: string) => boolean): Generator<string> {
    for (const [name, packed] of this.#packed) if (isMeant(packed)) yield name;
  }

  /** The first names in their order; `limit` is small. */
  firstNames(isMeant: (packed: string) => boolean, limit: number): readonly string[] {
    let first: string[] = [];
    let last: string | undefined;
    for (const name of this.names(isMeant)) {
      if (last !== undefined && name >= last) continue;
      first.push(name);
      if (first.length < 2 * limit) continue;
      first = first.toSorted().slice(0, limit);
      last = first.at(-1);
    }
    return first.toSorted().slice(0, limit);
  }

  /** All entries. They can be changed meanwhile. */
  *values(): Generator<Entry> {
    for (const packed of this.#packed.values()) yield unpackEntry(packed);
  }
}
