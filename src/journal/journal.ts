import {
  MAX_EXCEPTIONS,
  MAX_EXCEPTIONS_BYTES,
  MAX_INLINE_BYTES,
  MAX_INLINE_ROWS,
  type SecretMigration,
  type SecretMigrationStatus,
  type StatusRow,
} from '#src/api/v1alpha1/secret-migration.ts';
import { countOutcomes, doneRows, type Counts, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import type { Clock } from '#src/ports.ts';
import { FallbackUse } from './fallback-use.ts';
import { isFindable } from './recordable.ts';
import { StoredReports, type ReportStore } from './reports.ts';
import { toPriorRecords, toRows } from './rows.ts';
import { ShardLayout } from './shards.ts';
import { isDone, RowTable } from './table.ts';

/** The part of a status that comes from the table. */
export type TableStatus = Pick<
  SecretMigrationStatus,
  | 'progress'
  | 'summary'
  | 'fallback'
  | 'rules'
  | 'documents'
  | 'keys'
  | 'exceptions'
  | 'keysTruncated'
  | 'reports'
>;

export interface JournalOptions {
  readonly migration: SecretMigration;
  readonly reports: ReportStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Ids of the mapping rules to count keys for; if empty, `TableStatus.rules` is absent. */
  readonly rules: readonly string[];
}

/**
 * The per-key table of one migration: what earlier runs recorded and what this run adds. A small table is inline, in the
 * status that the caller writes from `table()`; a large one is in SecretMigrationReports, which the journal writes. A
 * report is written when it is full or when `storeReports` asks for it, and only if its rows differ from what is stored.
 *
 * So the table is durable once `storeReports` has resolved and a status with `table()` has been written after it.
 */
export class MigrationJournal {
  /** What earlier runs recorded, by document name; without names and paths that were cut. */
  readonly prior: ReadonlyMap<string, PriorRecord>;
  readonly #options: JournalOptions;
  readonly #table: RowTable;
  readonly #layout = new ShardLayout();
  readonly #stored: StoredReports;
  readonly #fallback: FallbackUse;
  #writing: Promise<void> = Promise.resolve();
  #isWritingAhead = false;

  private constructor(options: JournalOptions, rows: readonly StatusRow[], stored: StoredReports) {
    this.#options = options;
    this.#stored = stored;
    this.#fallback = new FallbackUse(options.migration, options.clock);
    const recorded = toPriorRecords(rows);
    this.prior = new Map([...recorded].filter(([, record]) => isFindable(record)));
    this.#table = new RowTable(recorded);
    for (const [shard, shardRows] of stored.shards()) this.#layout.adopt(shard, shardRows);
    if (stored.size > 0) return;
    // Inline rows have a layout too: it is written once there are too many rows.
    for (const entry of this.#table.entries()) this.#layout.set(entry.outcome.name, toRows(entry));
  }

  /** Reads what earlier runs recorded: reports if there are any, else the rows in status. */
  static async open(options: JournalOptions): Promise<MigrationJournal> {
    const { migration, reports, signal } = options;
    const stored = new StoredReports(migration, reports, signal);
    if (migration.status.reports !== undefined || migration.status.keys === undefined) await stored.load();
    const reported = [...stored.shards()].flatMap(([, rows]) => rows);
    return new MigrationJournal(options, stored.size > 0 ? reported : (migration.status.keys ?? []), stored);
  }

  /** As `Journal.expect`. */
  expect(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) this.#table.expect(outcome, this.#options.clock.now());
  }

  /** Takes one outcome. Resolves when a status with `table()` may be written: no row of an earlier run would be lost. */
  async record(outcome: Outcome): Promise<void> {
    const entry = this.#table.set(outcome, this.#options.clock.now());
    this.#layout.set(entry.outcome.name, toRows(entry));
    if (!this.#isInline()) await this.#moveToReports();
  }

  /** Writes the reports that differ from what is stored; none while rows are inline. Throws what the store throws. */
  async storeReports(): Promise<void> {
    if (!this.#isInline()) await this.#write(() => this.#layout.dirty(false));
  }

  /** Removes documents that a complete run did not record, because they left the selection. */
  dropUnvisited(): void {
    this.#table.dropUnvisited();
    for (const name of this.#layout.names()) if (!this.#table.has(name)) this.#layout.delete(name);
  }

  counts(): Counts {
    return countOutcomes(this.#table.outcomes());
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
      progress: `${doneRows(counts)}/${counts.total}`,
      summary: counts,
      ...(fallback === undefined ? {} : { fallback }),
      ...this.#byRule(),
      documents: this.#table.size,
    };
    if (this.#isInline()) return { ...base, keys: [...this.#table.entries()].flatMap(toRows) };
    const reports = { count: this.#layout.count, labelSelector: this.#stored.labelSelector };
    return { ...base, exceptions: this.#exceptions(), keysTruncated: true, reports };
  }

  #byRule(): Pick<TableStatus, 'rules'> {
    const { rules } = this.#options;
    if (rules.length === 0) return {};
    const outcomes = Map.groupBy(this.#table.outcomes(), ({ rule }) => rule);
    return { rules: rules.map((rule) => ({ rule, ...ruleCounts(countOutcomes(outcomes.get(rule) ?? [])) })) };
  }

  #exceptions(): StatusRow[] {
    const rows: StatusRow[] = [];
    let bytes = 0;
    for (const entry of this.#table.entries()) {
      if (isDone(entry.outcome)) continue;
      for (const row of toRows(entry)) {
        bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
        if (rows.length === MAX_EXCEPTIONS || bytes > MAX_EXCEPTIONS_BYTES) return rows;
        rows.push(row);
      }
    }
    return rows;
  }

  /** A table in reports never moves back, which would only cost writes. Expected rows count too. */
  #isInline(): boolean {
    const fits = this.#table.rowCount <= MAX_INLINE_ROWS && this.#layout.jsonBytes < MAX_INLINE_BYTES;
    return this.#stored.size === 0 && fits;
  }

  /**
   * Rows of an earlier run that are only in the status must be in reports before the next status omits them. All other
   * reports are written in the background: no document waits for the report of another one.
   */
  async #moveToReports(): Promise<void> {
    const areOnlyInStatus = this.#stored.size === 0 && this.prior.size > 0;
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

  /** Full shards that were never stored. Only storeReports rewrites stored ones; else each removed source costs a write. */
  #newlyFull(): readonly number[] {
    return this.#layout.dirty(true).filter((shard) => !this.#stored.has(shard));
  }

  /** Serialises writes: documents are recorded concurrently, and a shard must not be created twice. */
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

function ruleCounts({ total, verified, removed, skipped, failed, conflict }: Counts) {
  return { total, migrated: verified + removed, skipped, failed: failed + conflict };
}
