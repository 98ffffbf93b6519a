import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { MAX_REPORT_BYTES, MAX_REPORT_ROWS } from '#src/api/v1alpha1/secret-migration-report.ts';
import { keyCountOf } from '#src/core/outcome.ts';
import { ENVELOPE_BYTES, fit, jsonBytesOf, sizeOf } from './row-bytes.ts';

/**
 * The assignment of documents to shards, and the shards that changed. A document stays in its shard while its keys are
 * the same, so that a change of one row rewrites one report, and with other keys while it fits; new documents go to the last
 * shard until it is full. The rows of a document with more keys than fit into a shard continue in the next one.
 */
export class ShardLayout {
  readonly #shards: Shard[] = [];
  readonly #dirty = new Set<number>();
  readonly #home = new Map<string, readonly number[]>();
  #jsonBytes = 0;

  /** Adds a stored shard as it is; it is not dirty. `shard` is bounded by the caller: all shards before it exist then. */
  adopt(shard: number, rows: readonly StatusRow[]): void {
    while (this.#shards.length <= shard) this.#shards.push(emptyShard());
    for (const [name, group] of Map.groupBy(rows, (row) => row.name)) {
      this.#put(shard, name, group);
      this.#home.set(name, [...(this.#home.get(name) ?? []), shard]);
    }
    this.#dirty.delete(shard);
  }

  /** Sets the rows of a document; marks the shards whose rows differ as dirty. */
  set(name: string, rows: readonly StatusRow[]): void {
    const home = this.#home.get(name) ?? [];
    const before = home.flatMap((shard) => this.#shards[shard]?.rows.get(name) ?? []);
    if (JSON.stringify(before) === JSON.stringify(rows)) return;
    const same = this.#sameSegments({ home, before, rows });
    if (same === undefined) this.delete(name);
    const segments = same ?? this.#newSegments(rows);
    for (const { shard, part } of segments) this.#put(shard, name, part);
    this.#home.set(
      name,
      segments.map(({ shard }) => shard),
    );
  }

  /** Removes the rows of a document and marks their shards dirty. */
  delete(name: string): void {
    for (const index of this.#home.get(name) ?? []) {
      const shard = this.#shards[index];
      const rows = shard?.rows.get(name);
      if (shard === undefined || rows === undefined) continue;
      shard.rows.delete(name);
      shard.count -= rows.length;
      shard.keys -= keysIn(rows);
      shard.bytes -= sizeOf(rows);
      this.#jsonBytes -= jsonBytesOf(rows);
      this.#dirty.add(index);
    }
    this.#home.delete(name);
  }

  /** True when the document has rows here. */
  has(name: string): boolean {
    return this.#home.has(name);
  }

  /** Number of keys in the rows of a shard. */
  keyCountOf(shard: number): number {
    return this.#shards[shard]?.keys ?? 0;
  }

  /** Names of all documents. */
  names(): Iterable<string> {
    return this.#home.keys();
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
    const rows = this.#shards[shard]?.rows ?? new Map<string, readonly StatusRow[]>();
    return fit([...rows.keys()].toSorted().flatMap((name) => rows.get(name) ?? []));
  }

  /** Bytes of all rows as one JSON array, with their messages. */
  get jsonBytes(): number {
    return this.#jsonBytes;
  }

  /** Number of shards. */
  get count(): number {
    return this.#shards.length;
  }

  #put(index: number, name: string, rows: readonly StatusRow[]): void {
    const shard = this.#shards[index];
    if (shard === undefined) return;
    const before = shard.rows.get(name) ?? [];
    shard.rows.set(name, rows);
    shard.count += rows.length - before.length;
    shard.keys += keysIn(rows) - keysIn(before);
    shard.bytes += sizeOf(rows) - sizeOf(before);
    this.#jsonBytes += jsonBytesOf(rows) - jsonBytesOf(before);
    this.#dirty.add(index);
  }

  /** Where the rows stay: each in its shard, or all in the only one, where they fit. */
  #sameSegments({ home, before, rows }: Change): Segment[] | undefined {
    const [only, ...others] = home;
    if (!sameKeys(before, rows)) {
      const stay = only !== undefined && others.length === 0 && this.#fits(only, before, rows);
      return stay ? [{ shard: only, part: rows }] : undefined;
    }
    let taken = 0;
    return home.map((shard) => {
      const length = this.#shards[shard]?.rows.get(rows[0]?.name ?? '')?.length ?? 0;
      const part = rows.slice(taken, taken + length);
      taken += length;
      return { shard, part };
    });
  }

  #fits(index: number, before: readonly StatusRow[], rows: readonly StatusRow[]): boolean {
    const shard = this.#shards[index];
    if (shard === undefined) return false;
    const count = shard.count + rows.length - before.length;
    return count <= MAX_REPORT_ROWS && shard.bytes + sizeOf(rows) - sizeOf(before) <= MAX_REPORT_BYTES;
  }

  #newSegments(rows: readonly StatusRow[]): Segment[] {
    const segments: { shard: number; part: StatusRow[] }[] = [];
    const pending = new Map<number, { count: number; bytes: number }>();
    for (const row of rows) {
      const size = sizeOf([row]);
      const index = this.#shardFor(size, pending);
      const used = pending.get(index) ?? { count: 0, bytes: 0 };
      pending.set(index, { count: used.count + 1, bytes: used.bytes + size });
      const last = segments.at(-1);
      if (last?.shard === index) last.part.push(row);
      else segments.push({ shard: index, part: [row] });
    }
    return segments;
  }

  #shardFor(size: number, pending: ReadonlyMap<number, { count: number; bytes: number }>): number {
    const index = this.#shards.length - 1;
    const shard = this.#shards[index];
    const used = pending.get(index) ?? { count: 0, bytes: 0 };
    const fits =
      shard !== undefined &&
      shard.count + used.count < MAX_REPORT_ROWS &&
      shard.bytes + used.bytes + size <= MAX_REPORT_BYTES;
    if (fits) return index;
    this.#shards.push(emptyShard());
    return index + 1;
  }
}

/** The rows of a document, before and after. */
interface Change {
  readonly home: readonly number[];
  readonly before: readonly StatusRow[];
  readonly rows: readonly StatusRow[];
}

interface Shard {
  readonly rows: Map<string, readonly StatusRow[]>;
  /** Of rows. */
  count: number;
  keys: number;
  bytes: number;
}

function emptyShard(): Shard {
  return { rows: new Map(), count: 0, keys: 0, bytes: ENVELOPE_BYTES };
}

function keysIn(rows: readonly StatusRow[]): number {
  return rows.reduce((sum, row) => sum + keyCountOf(row), 0);
}

function sameKeys(before: readonly StatusRow[], rows: readonly StatusRow[]): boolean {
  const names = (all: readonly StatusRow[]): string =>
    JSON.stringify(all.map(({ destination, keys }) => [keys, destination?.keys]));
  return names(before) === names(rows);
}

interface Segment {
  readonly shard: number;
  readonly part: readonly StatusRow[];
}
