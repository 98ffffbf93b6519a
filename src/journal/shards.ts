import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { MAX_REPORT_BYTES, MAX_REPORT_ROWS } from '#src/api/v1alpha1/secret-migration-report.ts';
import type { Home } from './packed-entry.ts';
import { asJson, fit, sumOf, weigh, type Weight } from './row-bytes.ts';
import { Shard } from './shard.ts';

/** A document in shards: where its rows are, and these rows. */
export interface Housed {
  readonly homes: readonly Home[];
  readonly rows: readonly StatusRow[];
}

/** A document whose rows change. */
export interface Change extends Housed {
  readonly after: readonly StatusRow[];
}

/**
 * The assignment of documents to shards, and the shards that changed. A document stays in its shard while its keys are
 * the same, so that a change of one row rewrites one report, and with other keys while it fits; new documents go to the last
 * shard until it is full. The rows of a document with more keys than fit into a shard continue in the next one.
 *
 * It holds names and counts. `housed` has the rows and where they are: the caller keeps what `place` returns with the document.
 */
export class ShardLayout {
  readonly #housed: (name: string) => Housed | undefined;
  readonly #shards: Shard[] = [];
  readonly #dirty = new Set<number>();
  #jsonBytes = 0;

  constructor(housed: (name: string) => Housed | undefined) {
    this.#housed = housed;
  }

  /** Makes all shards up to this one. `shard` is bounded by the caller. */
  grow(shard: number): void {
    while (this.#shards.length <= shard) this.#shards.push(new Shard());
  }

  /** Adds stored rows of a document, as they are, to a shard that exists; that does not make it dirty. `json`: each as JSON. */
  adopt(shard: number, name: string, rows: readonly StatusRow[], json: readonly string[]): Home {
    this.#count(shard, sumOf(rows.map((row, index) => weigh(row, json[index]))), 1);
    this.#enter(shard, name);
    return { shard, rows: rows.length };
  }

  /** Changes the rows of a document, and marks the shards whose rows differ as dirty. Returns where they are now. */
  place(name: string, { homes, rows, after }: Change): readonly Home[] {
    const [old, now] = [rows.map(asJson), after.map(asJson)];
    if (homes.length > 0 && isSame(old, now)) return homes;
    const was = rows.map((row, index) => weigh(row, old[index]));
    const weights = after.map((row, index) => weigh(row, now[index]));
    this.#recount(homes, was, -1);
    const same = homes.length === 0 ? undefined : this.#sameHomes({ homes, rows, after }, weights);
    const next = same ?? this.#newHomes(weights);
    this.#recount(next, weights, 1);
    if (same === undefined) {
      for (const { shard } of homes) this.#shards[shard]?.leave();
      for (const { shard } of next) this.#enter(shard, name);
    }
    return next;
  }

  /** Removes the rows of a document and marks their shards dirty. */
  remove({ homes, rows }: Housed): void {
    const weights = rows.map((row) => weigh(row));
    this.#recount(homes, weights, -1);
    for (const { shard } of homes) this.#shards[shard]?.leave();
  }

  /** Number of keys in the rows of a shard. */
  keyCountOf(shard: number): number {
    return this.#shards[shard]?.keys ?? 0;
  }

  /** Shards whose stored report is outdated, in order; `onlyFull` omits the shard that still has space. */
  dirty(onlyFull: boolean): number[] {
    const last = this.#shards.length - 1;
    return [...this.#dirty].filter((shard) => !onlyFull || shard < last).toSorted((a, b) => a - b);
  }

  markClean(shard: number): void {
    this.#dirty.delete(shard);
  }

  markDirty(shard: number): void {
    this.#dirty.add(shard);
  }

  /** Rows of a shard, sorted by document, reduced to the size of a report. */
  rowsOf(shard: number): readonly StatusRow[] {
    const names = this.#shards[shard]?.names ?? [];
    return fit([...new Set(names)].toSorted().flatMap((name) => this.#rowsIn(shard, name)));
  }

  /** Bytes of all rows as one JSON array, with their messages. */
  get jsonBytes(): number {
    return this.#jsonBytes;
  }

  /** Number of shards. */
  get count(): number {
    return this.#shards.length;
  }

  #rowsIn(index: number, name: string): readonly StatusRow[] {
    const document = this.#housed(name);
    if (document === undefined) return [];
    return partsOf(document.homes, document.rows).flatMap(({ part, shard }) => (shard === index ? part : []));
  }

  #enter(index: number, name: string): void {
    this.#shards[index]?.enter(name, (each) =>
      (this.#housed(each)?.homes ?? []).some(({ shard }) => shard === index),
    );
  }

  #recount(homes: readonly Home[], weights: readonly Weight[], times: 1 | -1): void {
    for (const { shard, part } of partsOf(homes, weights)) {
      this.#count(shard, sumOf(part), times);
      this.#dirty.add(shard);
    }
  }

  #count(index: number, weight: Weight, times: 1 | -1): void {
    this.#jsonBytes += times * weight.json;
    this.#shards[index]?.count(weight, times);
  }

  /** Where the rows stay: each in its shard, or all in the only one, where they fit now that the old ones are out. */
  #sameHomes({ homes, rows, after }: Change, weights: readonly Weight[]): readonly Home[] | undefined {
    if (sameKeys(rows, after)) return homes;
    const [only, ...others] = homes;
    const stays = only !== undefined && others.length === 0 && this.#fits(only.shard, sumOf(weights));
    return stays ? [{ shard: only.shard, rows: after.length }] : undefined;
  }

  #fits(index: number, { rows, size }: Weight): boolean {
    const shard = this.#shards[index];
    if (shard === undefined) return false;
    return shard.rows + rows <= MAX_REPORT_ROWS && shard.size + size <= MAX_REPORT_BYTES;
  }

  #newHomes(weights: readonly Weight[]): readonly Home[] {
    const homes: { shard: number; rows: number }[] = [];
    let pending = sumOf([]);
    for (const weight of weights) {
      let shard = this.#shards.length - 1;
      if (!this.#fits(shard, sumOf([pending, weight]))) {
        shard += 1;
        this.#shards.push(new Shard());
        pending = sumOf([]);
      }
      pending = sumOf([pending, weight]);
      const last = homes.at(-1);
      if (last?.shard === shard) last.rows += 1;
      else homes.push({ shard, rows: 1 });
    }
    return homes;
  }
}

/** What a document has of each row, as its rows are divided among its homes. */
function partsOf<Of>(
  homes: readonly Home[],
  ofRows: readonly Of[],
): readonly { readonly shard: number; readonly part: readonly Of[] }[] {
  let taken = 0;
  return homes.map(({ shard, rows: count }) => {
    const part = ofRows.slice(taken, taken + count);
    taken += count;
    return { shard, part };
  });
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index]);
}

function sameKeys(before: readonly StatusRow[], rows: readonly StatusRow[]): boolean {
  const names = (all: readonly StatusRow[]): string =>
    JSON.stringify(all.map(({ destination, keys }) => [keys, destination?.keys]));
  return names(before) === names(rows);
}
