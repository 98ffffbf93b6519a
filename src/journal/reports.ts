import { API_VERSION, MIGRATION_LABEL, MIGRATION_UID_LABEL } from '#src/api/group.ts';
import type { SecretMigration, StatusRow } from '#src/api/v1alpha1/secret-migration.ts';
import {
  parseSecretMigrationReport,
  type Report,
  type SecretMigrationReport,
} from '#src/api/v1alpha1/secret-migration-report.ts';
import { countOutcomes } from '#src/core/outcome.ts';
import { hasCode, OperatorError } from '#src/errors.ts';

/** A report to create; a stored one also has the uid and resourceVersion that were read. */
export interface ReportObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly object[];
  };
  readonly report: Report;
}

export interface StoredReportObject extends ReportObject {
  readonly metadata: ReportObject['metadata'] & { readonly uid: string; readonly resourceVersion: string };
}

/** Which reports to list. */
export interface ReportSelection {
  readonly namespace: string;
  readonly labelSelector: string;
}

/** Where SecretMigrationReports are stored. Objects come back as the API server returns them; callers parse them. */
export interface ReportStore {
  list(selection: ReportSelection, signal: AbortSignal): Promise<readonly unknown[]>;

  /** Throws `ALREADY_EXISTS`. Resolves with the stored object. */
  create(report: ReportObject, signal: AbortSignal): Promise<unknown>;

  /** Throws `VERSION_CONFLICT` if the stored object changed since it was read. Resolves with the stored object. */
  replace(report: StoredReportObject, signal: AbortSignal): Promise<unknown>;
}

/**
 * The stored reports of one migration, by shard. The caller must serialise writes: two concurrent writes of a new shard
 * would create it twice.
 */
export class StoredReports {
  readonly #migration: SecretMigration;
  readonly #store: ReportStore;
  readonly #signal: AbortSignal;
  readonly #stored = new Map<number, SecretMigrationReport>();

  constructor(migration: SecretMigration, store: ReportStore, signal: AbortSignal) {
    this.#migration = migration;
    this.#store = store;
    this.#signal = signal;
  }

  /** Reads the stored reports. Throws what the store throws. */
  async load(): Promise<void> {
    const { name, namespace } = this.#migration.metadata;
    const selection = { namespace, labelSelector: this.labelSelector };
    for (const object of await this.#store.list(selection, this.#signal)) {
      const parsed = parseSecretMigrationReport(object);
      if (parsed.ok && parsed.value.report.migration === name)
        this.#stored.set(parsed.value.report.shard, parsed.value);
    }
  }

  /** Selects the reports. Has the uid, because reports of a deleted migration of this name may await garbage collection. */
  get labelSelector(): string {
    const { name, uid } = this.#migration.metadata;
    return `${MIGRATION_LABEL}=${name},${MIGRATION_UID_LABEL}=${uid}`;
  }

  /** Number of stored reports. */
  get size(): number {
    return this.#stored.size;
  }

  has(shard: number): boolean {
    return this.#stored.has(shard);
  }

  /** The rows of each stored shard. */
  *shards(): Generator<readonly [shard: number, rows: readonly StatusRow[]]> {
    for (const [shard, { report }] of this.#stored) yield [shard, report.rows];
  }

  /**
   * Stores a shard; sends nothing if its rows are already stored. Throws `VERSION_CONFLICT` if another writer changed or
   * created it since it was read, else what the store throws.
   */
  async write(shard: number, rows: readonly StatusRow[]): Promise<void> {
    const stored = this.#stored.get(shard);
    if (stored !== undefined && JSON.stringify(stored.report.rows) === JSON.stringify(rows)) return;
    const object = reportOf(this.#migration, shard, rows);
    const reply = await (stored === undefined ? this.#create(object) : this.#replace(object, stored));
    const parsed = parseSecretMigrationReport(reply);
    if (!parsed.ok)
      throw new OperatorError('REPLY_INVALID', { op: 'record.write', target: object.metadata.name });
    this.#stored.set(shard, parsed.value);
  }

  async #create(object: ReportObject): Promise<unknown> {
    try {
      return await this.#store.create(object, this.#signal);
    } catch (failure) {
      // Created by us (without a reply) or by an earlier leader: the next run reads the reports again.
      if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
      throw new OperatorError('VERSION_CONFLICT', {
        op: 'record.write',
        target: object.metadata.name,
        cause: failure,
      });
    }
  }

  async #replace(object: ReportObject, { metadata }: SecretMigrationReport): Promise<unknown> {
    const { uid, resourceVersion } = metadata;
    return await this.#store.replace(
      { ...object, metadata: { ...object.metadata, uid, resourceVersion } },
      this.#signal,
    );
  }
}

function reportOf(migration: SecretMigration, shard: number, rows: readonly StatusRow[]): ReportObject {
  const { name, namespace, uid } = migration.metadata;
  const owner = { apiVersion: API_VERSION, kind: 'SecretMigration', name, uid };
  const summary = countOutcomes(rows.map((row) => ({ name: row.name, keys: [row.key], state: row.state })));
  return {
    apiVersion: API_VERSION,
    kind: 'SecretMigrationReport',
    metadata: {
      name: `${name}-${shard}`,
      namespace,
      labels: { [MIGRATION_LABEL]: name, [MIGRATION_UID_LABEL]: uid },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: false }],
    },
    report: { migration: name, shard, rows: [...rows], summary },
  };
}
