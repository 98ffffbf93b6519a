import { API_VERSION, MIGRATION_LABEL, MIGRATION_UID_LABEL } from '#src/api/group.ts';
import type {
  SecretMigration,
  SecretMigrationStatus,
  StatusRow,
} from '#src/api/v1alpha1/secret-migration.ts';
import { MAX_EXCEPTIONS, MAX_INLINE_BYTES, MAX_INLINE_ROWS } from '#src/api/v1alpha1/secret-migration.ts';
import {
  parseSecretMigrationReport,
  type SecretMigrationReport,
} from '#src/api/v1alpha1/secret-migration-report.ts';
import { countOutcomes, doneRows, type Counts, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import type { Journal } from '#src/engine/journal.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import { isFine, RowTable, toKubernetesTime, toPriorRecords, toRows } from './row-table.ts';
import { ShardBook } from './shard-book.ts';

/** The part of a status that the record fills; conditions are the controller's. */
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

export type ListReports = (
  namespace: string,
  labelSelector: string,
  signal: AbortSignal,
) => Promise<readonly unknown[]>;

export interface RecordOptions {
  readonly migration: SecretMigration;
  readonly reports: ObjectClient;
  /** All reports of a namespace that a label selector names. */
  readonly listReports: ListReports;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The rules of the mapping that keys are counted by; without any, nothing is. */
  readonly rules: readonly string[];
  /** Writes the migration's status; `urgent` skips the throttle and resolves when it is stored. */
  readonly publish: (record: MigrationRecord, urgent: boolean) => Promise<void>;
}

/**
 * The journal of a migration: its rows, inline in status while they are few, else in SecretMigrationReport shards. A
 * shard is written when it is full or when `flush` asks for it, and only if its rows differ from what is stored.
 */
export class MigrationRecord implements Journal {
  readonly prior: ReadonlyMap<string, PriorRecord>;
  readonly #options: RecordOptions;
  readonly #table: RowTable;
  readonly #book = new ShardBook();
  readonly #stored: Map<number, SecretMigrationReport>;
  #writing: Promise<void> = Promise.resolve();
  #isWritingAhead = false;
  #fallbackHits = 0;
  #lastFallbackAt: number | undefined;

  private constructor(
    options: RecordOptions,
    rows: readonly StatusRow[],
    stored: Map<number, SecretMigrationReport>,
  ) {
    this.#options = options;
    this.#stored = stored;
    this.prior = toPriorRecords(rows);
    this.#table = new RowTable(this.prior);
    for (const [shard, { report }] of stored) this.#book.adopt(shard, report.rows);
    if (stored.size > 0) return;
    // Inline rows become shards only when there are too many of them; until then the book just follows.
    for (const entry of this.#table.entries()) this.#book.set(entry.outcome.name, toRows(entry));
  }

  /** Reads what earlier runs recorded: report shards if there are any, else the rows in status. */
  static async open(options: RecordOptions): Promise<MigrationRecord> {
    const { name, namespace } = options.migration.metadata;
    const stored = new Map<number, SecretMigrationReport>();
    const selector = selectorOf(options.migration);
    if (options.migration.status.reports !== undefined || options.migration.status.keys === undefined) {
      for (const object of await options.listReports(namespace, selector, options.signal)) {
        const parsed = parseSecretMigrationReport(object);
        if (parsed.ok && parsed.value.report.migration === name)
          stored.set(parsed.value.report.shard, parsed.value);
      }
    }
    const inShards = [...stored.values()].flatMap(({ report }) => report.rows);
    const rows = stored.size > 0 ? inShards : (options.migration.status.keys ?? []);
    return new MigrationRecord(options, rows, stored);
  }

  expect(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) this.#table.expect(outcome, this.#options.clock.now());
  }

  async record(outcome: Outcome): Promise<void> {
    const entry = this.#table.set(outcome, this.#options.clock.now());
    this.#book.set(outcome.name, toRows(entry));
    if (!this.#isInline()) await this.#leaveStatus();
    await this.#publish(false);
  }

  async flush(): Promise<void> {
    await this.storeShards();
    await this.#publish(true);
  }

  /** Writes the shards that differ from what is stored; inline rows travel with the status. */
  async storeShards(): Promise<void> {
    if (!this.#isInline()) await this.#writeShards(() => this.#book.dirty(false));
  }

  /** Forgets documents that a complete run did not meet: they left the selection. */
  dropUnvisited(): void {
    this.#table.dropUnvisited();
    for (const name of this.#book.names()) if (!this.#table.has(name)) this.#book.delete(name);
  }

  counts(): Counts {
    return countOutcomes(this.#table.outcomes());
  }

  outcomes(): Iterable<Outcome> {
    return this.#table.outcomes();
  }

  table(): TableStatus {
    const counts = this.counts();
    const base = {
      progress: `${doneRows(counts)}/${counts.total}`,
      summary: counts,
      ...this.#fallback(),
      ...this.#byRule(),
      documents: this.#table.size,
    };
    if (this.#isInline()) return { ...base, keys: this.#rows() };
    return {
      ...base,
      exceptions: this.#exceptions(),
      keysTruncated: true,
      reports: {
        count: this.#book.count,
        labelSelector: selectorOf(this.#options.migration),
      },
    };
  }

  /** One more document was read at its old address. */
  countFallback(): void {
    this.#fallbackHits += 1;
    this.#lastFallbackAt = this.#options.clock.now();
  }

  #fallback(): Pick<TableStatus, 'fallback'> {
    const { migration, clock } = this.#options;
    const until = migration.spec.source.fallback?.untilTime;
    if (until === undefined) return {};
    const before = migration.status.fallback;
    const lastHitTime =
      this.#lastFallbackAt === undefined ? before?.lastHitTime : toKubernetesTime(this.#lastFallbackAt);
    const state = clock.now() < Date.parse(until) ? 'Active' : 'Ended';
    const hits = (before?.hits ?? 0) + this.#fallbackHits;
    return { fallback: { state, hits, ...(lastHitTime === undefined ? {} : { lastHitTime }) } };
  }

  #byRule(): Pick<TableStatus, 'rules'> {
    const { rules } = this.#options;
    if (rules.length === 0) return {};
    const outcomes = Map.groupBy(this.#table.outcomes(), ({ rule }) => rule);
    return { rules: rules.map((rule) => ({ rule, ...ruleCounts(countOutcomes(outcomes.get(rule) ?? [])) })) };
  }

  #rows(): StatusRow[] {
    return [...this.#table.entries()].flatMap(toRows);
  }

  #exceptions(): StatusRow[] {
    const rows: StatusRow[] = [];
    for (const entry of this.#table.entries()) {
      if (!isFine(entry.outcome)) rows.push(...toRows(entry));
      if (rows.length >= MAX_EXCEPTIONS) break;
    }
    return rows.slice(0, MAX_EXCEPTIONS);
  }

  /** Once in shards, always in shards: going back and forth would only write. Announced rows count before they are recorded. */
  #isInline(): boolean {
    const fits = this.#table.rowCount <= MAX_INLINE_ROWS && this.#book.bytes < MAX_INLINE_BYTES;
    return this.#stored.size === 0 && fits;
  }

  /**
   * Rows of an earlier run that are only in the status must be in shards before the next status goes without them. All
   * others may wait: no document is held up by the report of another one.
   */
  async #leaveStatus(): Promise<void> {
    const areOnlyInStatus = this.#stored.size === 0 && this.prior.size > 0;
    if (areOnlyInStatus) await this.storeShards();
    else if (!this.#isWritingAhead) void this.#writeAhead();
  }

  /** A shard that could not be written stays dirty: `storeShards` meets it again, and the failure with it. */
  async #writeAhead(): Promise<void> {
    this.#isWritingAhead = true;
    try {
      await this.#writeShards(() => this.#newlyFull());
    } catch {
      // Said above.
    } finally {
      this.#isWritingAhead = false;
    }
  }

  /** Full and never stored. Stored shards are rewritten by `flush` only, or each removed source would cost a write. */
  #newlyFull(): readonly number[] {
    return this.#book.dirty(true).filter((shard) => !this.#stored.has(shard));
  }

  async #publish(urgent: boolean): Promise<void> {
    await this.#options.publish(this, urgent);
  }

  /** One after the other: documents are recorded side by side, and a shard must not be created twice. */
  async #writeShards(choose: () => readonly number[]): Promise<void> {
    const before = this.#writing;
    this.#writing = before.catch(() => undefined).then(async () => this.#writeNow(choose()));
    await this.#writing;
  }

  async #writeNow(shards: readonly number[]): Promise<void> {
    for (const shard of shards) {
      this.#book.markClean(shard); // Before the write: rows that change during it make the shard dirty again.
      const rows = this.#book.rowsOf(shard);
      const stored = this.#stored.get(shard);
      if (stored !== undefined && JSON.stringify(stored.report.rows) === JSON.stringify(rows)) continue;
      try {
        this.#stored.set(shard, await this.#writeShard(shard, rows, stored));
      } catch (failure) {
        this.#book.markDirty(shard);
        throw failure;
      }
    }
  }

  async #writeShard(
    shard: number,
    rows: readonly StatusRow[],
    stored: SecretMigrationReport | undefined,
  ): Promise<SecretMigrationReport> {
    const { reports, signal } = this.#options;
    const object = this.#reportObject(shard, rows);
    let reply: unknown;
    if (stored === undefined) {
      try {
        reply = await reports.create(object, signal);
      } catch (failure) {
        // A lost reply of our own, or a leader before us: the next run reads the shards again.
        if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
        throw new OperatorError('VERSION_CONFLICT', {
          op: 'record.write',
          target: object.metadata.name,
          cause: failure,
        });
      }
    } else {
      const { uid, resourceVersion } = stored.metadata;
      reply = await reports.replace(
        { ...object, metadata: { ...object.metadata, uid, resourceVersion } },
        signal,
      );
    }
    const parsed = parseSecretMigrationReport(reply);
    if (!parsed.ok)
      throw new OperatorError('REPLY_INVALID', { op: 'record.write', target: object.metadata.name });
    return parsed.value;
  }

  #reportObject(shard: number, rows: readonly StatusRow[]) {
    const { migration } = this.#options;
    const { name, namespace, uid } = migration.metadata;
    return {
      apiVersion: API_VERSION,
      kind: 'SecretMigrationReport',
      metadata: {
        name: `${name}-${shard}`,
        namespace,
        labels: { [MIGRATION_LABEL]: name, [MIGRATION_UID_LABEL]: uid },
        ownerReferences: [
          {
            apiVersion: API_VERSION,
            kind: 'SecretMigration',
            name,
            uid,
            controller: true,
            blockOwnerDeletion: false,
          },
        ],
      },
      report: { migration: name, shard, rows, summary: countOutcomes(toOutcomes(rows)) },
    };
  }
}

function ruleCounts({ total, verified, removed, skipped, failed, conflict }: Counts) {
  return { total, migrated: verified + removed, skipped, failed: failed + conflict };
}

function toOutcomes(rows: readonly StatusRow[]): Outcome[] {
  return rows.map((row) => ({ name: row.name, keys: [row.key], state: row.state }));
}

/** With the uid: shards of an earlier object of the same name may still wait for the garbage collector. */
function selectorOf(migration: SecretMigration): string {
  return `${MIGRATION_LABEL}=${migration.metadata.name},${MIGRATION_UID_LABEL}=${migration.metadata.uid}`;
}
