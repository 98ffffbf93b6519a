import type { PriorRecords } from '#src/core/journal.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import type { Entries } from './entries.ts';
import { hasPrior } from './packed-entry.ts';
import type { RowCodec } from './packed-row.ts';
import { toPriorRecord } from './rows.ts';

/** The prior rows of entries, each unpacked when it is asked for. */
export class PriorRows implements PriorRecords {
  readonly #entries: Entries;
  readonly #codec: RowCodec;

  constructor(entries: Entries, codec: RowCodec) {
    this.#entries = entries;
    this.#codec = codec;
  }

  get size(): number {
    return this.#entries.priors;
  }

  get(name: string): PriorRecord | undefined {
    const { prior } = this.#entries.get(name);
    if (prior === undefined) return undefined;
    return toPriorRecord(this.#codec.recent(name, prior));
  }

  has(name: string): boolean {
    return this.#entries.hasPrior(name);
  }

  keys(): Generator<string> {
    return this.#entries.names(hasPrior);
  }

  *values(): Generator<PriorRecord> {
    for (const [, record] of this) yield record;
  }

  *[Symbol.iterator](): Generator<[name: string, record: PriorRecord]> {
    for (const name of this.keys()) {
      const { prior } = this.#entries.get(name);
      if (prior !== undefined) yield [name, toPriorRecord(this.#codec.unpack(name, prior))];
    }
  }
}
