import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { parseReportMetadata } from '#src/api/v1alpha1/secret-migration-report.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { contentOf, isBalanced, isOwned, reportName } from '#src/journal/report-object.ts';
import type { UserCluster } from '../cluster.ts';
import type { ReadRow } from './outcome.ts';

/** Reports that are read at the same time. */
const AT_ONCE = 8;

/** The rows of a migration, from its status or its reports. */
export interface Table {
  readonly rows: readonly ReadRow[];
  /** False if a report is missing, or was changed by another writer. */
  readonly isComplete: boolean;
}

/** Reads all rows of a migration, sorted by document. Throws what the API server refuses. */
export async function readTable(
  cluster: UserCluster,
  migration: SecretMigration,
  signal: AbortSignal,
): Promise<Table> {
  const { keys = [], reports } = migration.status;
  const shards = Array.from({ length: reports?.count ?? 0 }, (_, shard) => shard);
  const read = async (shard: number) => ({
    shard,
    rows: await rowsOf(cluster, { migration, shard }, signal),
  });
  const found: { readonly shard: number; readonly rows: readonly ReadRow[] | undefined }[] = [];
  for await (const report of mapConcurrently(shards, AT_ONCE, read)) found.push(report);
  const reported = found.toSorted((left, right) => left.shard - right.shard).flatMap(({ rows = [] }) => rows);
  // Of a run that was killed while it moved its rows to reports, some rows are in the status only.
  const names = new Set(reported.map(({ name }) => name));
  const rows = [...keys.filter(({ name }) => !names.has(name)), ...reported];
  return { rows: rows.toSorted(byName), isComplete: found.every((report) => report.rows !== undefined) };
}

/** Undefined if the report is missing, not of this migration, or not as the operator wrote it. */
async function rowsOf(
  cluster: UserCluster,
  { migration, shard }: { readonly migration: SecretMigration; readonly shard: number },
  signal: AbortSignal,
): Promise<readonly ReadRow[] | undefined> {
  const { namespace } = migration.metadata;
  const name = reportName(migration.metadata, shard);
  const object = await cluster.objects('SecretMigrationReport').get({ namespace, name }, signal);
  const owned = parseReportMetadata(object);
  if (!owned.ok || !isOwned(owned.value, migration)) return undefined;
  const report = contentOf(object, migration, shard);
  return report !== undefined && isBalanced(report) ? report.rows : undefined;
}

function byName(left: ReadRow, right: ReadRow): number {
  if (left.name === right.name) return 0;
  return left.name < right.name ? -1 : 1;
}
