import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { MAX_REPORTS, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import {
  parseReportMetadata,
  parseSecretMigrationReport,
  type SecretMigrationReport,
  type StoredReport,
} from '#src/api/v1alpha1/secret-migration-report.ts';
import { keyCountOf } from '#src/core/outcome.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { Logger } from '#src/ports.ts';
import {
  contentOf,
  foreignPartsOf,
  controllerOf,
  isBalanced,
  isOwned,
  reportName,
  reportOf,
  reportSelector,
  withForeignParts,
  type ForeignParts,
  type ReportObject,
  type StoredReportObject,
} from './report-object.ts';
import { asJson } from './row-bytes.ts';

/** Where SecretMigrationReports are stored. Returns objects as the API server sends them; callers parse them. */
export interface ReportStore {
  /** Resolves with undefined if there is no such report. */
  get(report: { readonly namespace: string; readonly name: string }, signal: AbortSignal): Promise<unknown>;

  /** Throws `ALREADY_EXISTS`. Resolves with the stored object. */
  create(report: ReportObject, signal: AbortSignal): Promise<unknown>;

  /** Throws `VERSION_CONFLICT` if the stored object changed since it was read. Resolves with the stored object. */
  replace(report: StoredReportObject, signal: AbortSignal): Promise<unknown>;
}

/** Reports that may be stored and not yet be counted in the status: so many are read beyond its count. */
export const MAX_UNCOUNTED = 64;
/** Reports that are read at the same time. */
const READ_BATCH = 8;

type Version = Pick<SecretMigrationReport['metadata'], 'uid' | 'resourceVersion'>;

/** What is kept of a stored report with our owner reference: enough to write it again, and to know when that is not needed. */
interface OwnReport {
  readonly version: Version;
  /** Of the rows as they are stored; undefined if another writer changed the report beyond use. Never leaves the process. */
  readonly digest: string | undefined;
  readonly keys: number;
  /** It must be written again, whatever its rows. */
  readonly isDamaged: boolean;
  readonly foreign: ForeignParts;
}

/** A stored report that was just read. Its rows are not kept: the caller takes them now. */
interface ReadReport {
  readonly own: OwnReport;
  readonly rows: readonly StatusRow[];
}

type Content = Pick<StoredReport['report'], 'rows' | 'summary'>;

type TakeRows = (shard: number, rows: readonly StatusRow[]) => void;

/**
 * The stored reports of one migration, by shard. Reads only reports that have its names and its controller reference, at
 * most as many as its status counts and `MAX_UNCOUNTED` more: what others store under its labels costs nothing. The caller
 * must serialize writes: two concurrent writes of a new shard would create it twice.
 */
export class StoredReports {
  readonly #migration: SecretMigration;
  readonly #store: ReportStore;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #stored = new Map<number, OwnReport>();
  #damaged = 0;

  constructor(
    migration: SecretMigration,
    { reports, logger, signal }: { reports: ReportStore; logger: Logger; signal: AbortSignal },
  ) {
    this.#migration = migration;
    this.#store = reports;
    this.#logger = logger;
    this.#signal = signal;
  }

  /** Reads the stored reports; `take` gets the rows of each, in the order of the shards. Throws what the store throws. */
  async load(take: TakeRows): Promise<void> {
    const counted = this.#counted;
    for (let first = 0; first < counted; first += READ_BATCH) {
      const shards = Array.from(
        { length: Math.min(READ_BATCH, counted - first) },
        (_, index) => first + index,
      );
      const found = await Promise.all(shards.map(async (shard) => this.#read(shard)));
      for (const [index, read] of found.entries()) this.#adopt(first + index, read, take);
    }
    const end = Math.min(counted + MAX_UNCOUNTED, MAX_REPORTS);
    for (let shard = counted; shard < end; shard += 1) {
      const read = await this.#read(shard);
      if (read === undefined) break;
      this.#adopt(shard, read, take);
    }
  }

  /** Selects the reports. Has the uid, because reports of a deleted migration of this name may await garbage collection. */
  get labelSelector(): string {
    return reportSelector(this.#migration.metadata);
  }

  /** Number of shards up to the last one that is stored or should be. */
  get count(): number {
    return Math.max(this.#counted, ...[...this.#stored.keys()].map((shard) => shard + 1));
  }

  /** Number of stored reports. */
  get size(): number {
    return this.#stored.size;
  }

  /** Reports that the status counts and that are missing, or that another writer changed. */
  get damaged(): number {
    return this.#damaged;
  }

  /** Keys in the rows of the reports that the status counts. */
  get countedKeys(): number {
    let keys = 0;
    for (const shard of this.#stored.keys()) if (shard < this.#counted) keys += this.keyCountOf(shard);
    return keys;
  }

  has(shard: number): boolean {
    return this.#stored.has(shard);
  }

  /** Number of keys in the rows of a stored shard. */
  keyCountOf(shard: number): number {
    return this.#stored.get(shard)?.keys ?? 0;
  }

  /** True when the report must be written again, whatever its rows. */
  isDamaged(shard: number): boolean {
    return this.#stored.get(shard)?.isDamaged ?? true;
  }

  /**
   * Stores a shard; sends nothing if its rows are already stored. Throws `VERSION_CONFLICT` if another writer changed or
   * created it since it was read, `REPORT_TAKEN` if a report that is not ours has its name, else what the store throws.
   */
  async write(shard: number, rows: readonly StatusRow[]): Promise<void> {
    const stored = this.#stored.get(shard);
    if (!this.isDamaged(shard) && stored?.digest === digestOf(rows)) return;
    const object = reportOf(this.#migration, shard, rows);
    const reply = await (stored === undefined ? this.#create(object) : this.#replace(object, stored));
    const content = storesAll(reply, object) ? object.report : contentIn(reply);
    const parsed = parseReportMetadata(reply);
    if (!parsed.ok || content === undefined)
      throw new OperatorError('REPLY_INVALID', { op: 'record.write', target: object.metadata.name });
    this.#stored.set(shard, this.#ownReport(reply, parsed.value.metadata, content));
  }

  get #counted(): number {
    return this.#migration.status.reports?.count ?? 0;
  }

  #adopt(shard: number, read: ReadReport | undefined, take: TakeRows): void {
    if (read !== undefined) {
      this.#stored.set(shard, read.own);
      take(shard, read.rows);
    }
    // Without `rows`, an earlier version wrote the status: it counted reports before they were stored.
    const isPromised = this.#migration.status.reports?.rows !== undefined && shard < this.#counted;
    if (isPromised && this.isDamaged(shard)) this.#damaged += 1;
  }

  /** Undefined if there is none of ours: one that belongs to others is ignored, and logged. */
  async #read(shard: number): Promise<ReadReport | undefined> {
    const { namespace } = this.#migration.metadata;
    const name = reportName(this.#migration.metadata, shard);
    const object = await this.#store.get({ namespace, name }, this.#signal);
    if (object === undefined) return undefined;
    const owned = parseReportMetadata(object);
    if (!owned.ok || !isOwned(owned.value, this.#migration)) {
      this.#logger.warn('report ignored: its owner is not the migration', { report: name });
      return undefined;
    }
    const report = contentOf(object, this.#migration, shard);
    const own = this.#ownReport(object, owned.value.metadata, report);
    if (own.isDamaged) this.#logger.warn('report was changed by another writer', { report: name });
    return { own, rows: report?.rows ?? [] };
  }

  #ownReport(object: unknown, { uid, resourceVersion }: Version, report: Content | undefined): OwnReport {
    return {
      version: { uid, resourceVersion },
      digest: report && digestOf(report.rows),
      keys: (report?.rows ?? []).reduce((sum, row) => sum + keyCountOf(row), 0),
      isDamaged: report === undefined || !isBalanced(report),
      foreign: foreignPartsOf(object, this.#migration),
    };
  }

  async #create(object: ReportObject): Promise<unknown> {
    try {
      return await this.#store.create(object, this.#signal);
    } catch (failure) {
      if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
      throw await this.#conflictWith(object, failure);
    }
  }

  /**
   * Created by us (without a reply) or by an earlier leader: the next run reads the reports again. One of a deleted
   * migration of this name goes by itself.
   */
  async #conflictWith({ metadata }: ReportObject, cause: unknown): Promise<OperatorError> {
    const { namespace, name } = metadata;
    const parsed = parseReportMetadata(await this.#store.get(metadata, this.#signal));
    const owner = parsed.ok ? controllerOf(parsed.value) : undefined;
    const passes =
      !parsed.ok || (owner?.kind === 'SecretMigration' && owner.name === this.#migration.metadata.name);
    return new OperatorError(passes ? 'VERSION_CONFLICT' : 'REPORT_TAKEN', {
      op: 'record.write',
      target: `SecretMigrationReport ${namespace}/${name}`,
      cause,
    });
  }

  async #replace(object: ReportObject, { version, foreign }: OwnReport): Promise<unknown> {
    const { metadata, ...rest } = withForeignParts(object, foreign);
    const { uid, resourceVersion } = version;
    return await this.#store.replace(
      { ...rest, metadata: { ...metadata, uid, resourceVersion } },
      this.#signal,
    );
  }
}

/** True if the reply has the report as it was sent, so that its rows need not be read again. */
function storesAll(reply: unknown, { report }: ReportObject): boolean {
  return (
    typeof reply === 'object' &&
    reply !== null &&
    'report' in reply &&
    isDeepStrictEqual(reply.report, report)
  );
}

function contentIn(reply: unknown): Content | undefined {
  const parsed = parseSecretMigrationReport(reply);
  return parsed.ok ? parsed.value.report : undefined;
}

/** Tells whether rows are those that are stored, without a copy of them. */
function digestOf(rows: readonly StatusRow[]): string {
  return createHash('sha256').update(rows.map(asJson).join()).digest('base64');
}
