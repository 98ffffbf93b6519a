import {
  MAX_INLINE_BYTES,
  MAX_INLINE_ROWS,
  type SecretMigration,
  type SecretMigrationStatus,
} from '#src/api/v1alpha1/secret-migration.ts';
import { doneKeys, type Counts, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import type { Clock, Logger } from '#src/ports.ts';
import { provenOnlyNow } from './another-store.ts';
import { FallbackUse } from './fallback-use.ts';
import { addLoss, lossOf, type Loss } from './loss.ts';
import { exceptionsOf } from './excerpts.ts';
import type { PriorRows } from './prior-rows.ts';
import { recordedName } from './recordable.ts';
import { MAX_UNCOUNTED, StoredReports, type ReportStore } from './reports.ts';
import { toRows } from './rows.ts';
import type { ShardLayout } from './shards.ts';
import { RowTable } from './table.ts';

/** The part of a status that comes from the table. */
export type TableStatus = Pick<SecretMigrationStatus, TableMember>;
type TableMember =
  'progress' | 'summary' | 'fallback' | 'rules' | 'documents' | 'destinationStore' | RowMember;
type RowMember = 'keys' | 'exceptions' | 'keysTruncated' | 'reports';

export interface JournalOptions {
  readonly migration: SecretMigration;
  readonly reports: ReportStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** True when the user saw the loss that the status shows and requested this run. */
  readonly acknowledgesLoss: boolean;
  /** Ids of the mapping rules to count keys for; if empty, `TableStatus.rules` is absent. */
  readonly rules: readonly string[];
  /**
   * Where the destination is, as text to compare: its store and the folder in it. If the status names another place, no
   * recorded proof is about what is there now, and every soak starts again. Undefined: not looked at.
   */
  readonly destinationStore?: string;
}

/**
 * The per-key table of one migration: what earlier runs recorded and what this run adds. A small table is inline, in the
 * status that the caller writes from `table()`; a large one is in SecretMigrationReports, which the journal writes. A
 * report is written when it is full or when `storeReports` asks for it, and only if its rows differ from what is stored.
 *
 * So the table is durable once `storeReports` has resolved and a status with `table()` has been written after it.
 */
export class MigrationJournal {
  readonly #options: JournalOptions;
  readonly #table: RowTable;
  readonly #stored: StoredReports;
  readonly #fallback: FallbackUse;
  #loss: Loss | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isWritingAhead = false;
  /** The store that a status may name: the one that all durable rows are about. */
  #namedStore: string | undefined;
  /** What the status shows of the reports, as far as this journal knows; `rows` counts their keys. */
  #shown: { readonly count: number; readonly rows: number };

  private constructor(options: JournalOptions) {
    const { migration, clock, rules } = options;
    const { destinationStore, reports } = migration.status;
    this.#options = options;
    this.#stored = new StoredReports(migration, options);
    this.#table = new RowTable(new Map(), rules);
    this.#shown = { count: reports?.count ?? 0, rows: reports?.rows ?? 0 };
    this.#fallback = new FallbackUse(migration, clock);
    this.#namedStore = destinationStore;
  }

  /** Reads what earlier runs recorded: reports and the rows in status. Throws what the store of reports throws. */
  static async open(options: JournalOptions): Promise<MigrationJournal> {
    const journal = new MigrationJournal(options);
    await journal.#load();
    return journal;
  }

  /**
   * Report by report, so that only a few are in memory. Of a run that was killed while it moved its rows to reports, some rows are in
   * the status only.
   */
  async #load(): Promise<void> {
    const { migration, acknowledgesLoss } = this.#options;
    const { keys = [], reports } = migration.status;
    const judged = this.#judge();
    this.#table.adopt(keys, { judged });
    await this.#stored.load((shard, rows) => this.#table.adopt(rows, { judged, shard }));
    const found = lossOf(migration, { damagedReports: this.#stored.damaged, keys: this.#stored.countedKeys });
    this.#loss = addLoss(acknowledgesLoss ? undefined : reports?.lost, found);
    for (let shard = 0; shard < this.#stored.count; shard += 1)
      if (this.#stored.isDamaged(shard)) this.#layout.markDirty(shard);
    if (this.#stored.count > 0) this.#layout.grow(this.#stored.count - 1);
    // Inline rows are written once there are too many. Equal rows make no report dirty; those that are proven only now do.
    this.#table.house(this.#isElsewhere());
  }

  /** What earlier records say, if their proofs may be of another store. */
  #judge(): (record: PriorRecord) => PriorRecord {
    const now = this.#options.clock.now();
    return this.#isElsewhere() ? (record) => provenOnlyNow(record, now) : (record) => record;
  }

  get #layout(): ShardLayout {
    return this.#table.layout;
  }

  /** What earlier runs recorded, by document name; without names and paths that were cut. */
  get prior(): PriorRows {
    return this.#table.prior;
  }

  /** Another round begins: `prior` has what this run recorded so far, as it has for the next run. */
  goOn(): void {
    this.#table.goOn();
  }

  /** What another writer took from the table, and no run has made good. */
  get loss(): Loss | undefined {
    return this.#loss;
  }

  /**
   * True when `storeReports` would store fewer keys than the status promises: a status with `table()` must be written first,
   * or a run that is killed in between looks like a loss.
   */
  get promisesTooMuch(): boolean {
    return this.#durableKeys() < this.#shown.rows;
  }

  /** True when the status names another store than that of the destination now. */
  #isElsewhere(): boolean {
    const { destinationStore } = this.#options;
    return destinationStore !== undefined && destinationStore !== this.#namedStore;
  }

  /** As `Journal.expect`. */
  expect(outcomes: Iterable<Outcome>): void {
    for (const outcome of outcomes) this.#table.expect(outcome, this.#options.clock.now());
  }

  /** Takes one outcome. Resolves when a status with `table()` may be written: no row of an earlier run would be lost. */
  async record(outcome: Outcome): Promise<void> {
    this.#table.set(outcome, this.#options.clock.now());
    if (!this.#isInline()) await this.#moveToReports();
  }

  /** As `Journal.forget`. */
  forget(name: string): void {
    this.#table.delete(recordedName(name));
  }

  /** Writes the reports that differ from what is stored; none while rows are inline. Throws what the store throws. */
  async storeReports(): Promise<void> {
    if (!this.#isInline()) await this.#write(() => this.#layout.dirty(false));
    this.#namedStore = this.#options.destinationStore ?? this.#namedStore;
  }

  /**
   * To be called after a complete run: removes documents that it did not record, because they left the selection. It has
   * recorded everything that is at the source again, so a loss of nothing else is over.
   */
  dropUnvisited(): void {
    if (this.#loss?.unrecoverable === false) this.#loss = undefined;
    this.#table.dropUnvisited();
  }

  counts(): Counts {
    return this.#table.counts;
  }

  outcomes(): Iterable<Outcome> {
    return this.#table.outcomes();
  }

  /** Counts one document that was read at its old address. */
  countFallback(): void {
    this.#fallback.count();
  }

  /** The table for the status: all rows inline, or the exceptions and a reference to the reports. */
  table(): TableStatus {
    const counts = this.counts();
    const fallback = this.#fallback.status();
    const base = {
      progress: `${doneKeys(counts)}/${counts.total}`,
      summary: counts,
      ...(fallback === undefined ? {} : { fallback }),
      ...this.#table.byRule(),
      documents: this.#table.size,
      ...(this.#namedStore === undefined ? {} : { destinationStore: this.#namedStore }),
    };
    if (this.#isInline()) return { ...base, keys: [...this.#table.entries()].flatMap(toRows) };
    this.#shown = { count: this.#stored.count, rows: this.#durableKeys() };
    const lost = this.#loss === undefined ? {} : { lost: this.#loss };
    const reports = { ...this.#shown, labelSelector: this.#stored.labelSelector, ...lost };
    return { ...base, exceptions: exceptionsOf(this.#table), keysTruncated: true, reports };
  }

  /** A table in reports never moves back, which would only cost writes and hide a loss. Expected rows count too. */
  #isInline(): boolean {
    const fits = this.#table.rowCount <= MAX_INLINE_ROWS && this.#layout.jsonBytes < MAX_INLINE_BYTES;
    return this.#stored.size === 0 && this.#options.migration.status.reports === undefined && fits;
  }

  /** Keys that the rows of the stored reports have, and still have once all are written. */
  #durableKeys(): number {
    let keys = 0;
    for (let shard = 0; shard < this.#layout.count; shard += 1)
      keys += Math.min(this.#stored.keyCountOf(shard), this.#layout.keyCountOf(shard));
    return keys;
  }

  /**
   * Rows of an earlier run that are only in the status must be in reports before the next status omits them. All other
   * reports are written in the background: no document waits for the report of another one.
   */
  async #moveToReports(): Promise<void> {
    const { keys = [] } = this.#options.migration.status;
    const areOnlyInStatus = this.#stored.size === 0 && keys.length > 0;
    if (areOnlyInStatus) await this.storeReports();
    else if (!this.#isWritingAhead) void this.#writeAhead();
  }

  /** Writes full shards in the background. */
  async #writeAhead(): Promise<void> {
    this.#isWritingAhead = true;
    try {
      await this.#write(() => this.#newlyFull());
    } catch {
      // The shard stays dirty: storeReports writes it again and throws if it still fails.
    } finally {
      this.#isWritingAhead = false;
    }
  }

  /**
   * Full shards that were never stored, up to those that the next run would read. Only storeReports rewrites stored ones;
   * else each removed source costs a write.
   */
  #newlyFull(): readonly number[] {
    const end = this.#shown.count + MAX_UNCOUNTED;
    return this.#layout.dirty(true).filter((shard) => shard < end && !this.#stored.has(shard));
  }

  /** Serializes writes: documents are recorded concurrently, and a shard must not be created twice. */
  async #write(choose: () => readonly number[]): Promise<void> {
    const before = this.#writing;
    this.#writing = before.catch(() => undefined).then(async () => this.#writeNow(choose()));
    await this.#writing;
  }

  async #writeNow(shards: readonly number[]): Promise<void> {
    for (const shard of shards) {
      this.#layout.markClean(shard); // Before the write: rows that change during it make the shard dirty again.
      try {
        await this.#stored.write(shard, this.#layout.rowsOf(shard));
      } catch (failure) {
        this.#layout.markDirty(shard);
        throw failure;
      }
    }
  }
}
