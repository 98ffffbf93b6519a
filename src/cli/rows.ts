import { z } from 'zod';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { MAX_REPORTS } from '#src/api/v1alpha1/secret-migration.ts';
import { keyRowsOf, type KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import type { Range } from '#src/core/ranges.ts';
import { nameInRange, rangeName, storedRange } from '#src/journal/range-object.ts';
import { isBalanced, ownContentOf, reportName } from '#src/journal/report-object.ts';
import { MAX_UNCOUNTED } from '#src/journal/reports.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';

/** The table of one migration: a row for each key, of its status or of all its reports. */
export interface Table {
  /** Sorted by document, then key. */
  readonly rows: readonly KeyRow[];
  /** The same as it is stored: a row for the keys of a document that are alike. */
  readonly stored: readonly StatusRow[];
  /** False if rows are missing, now or for good; `missing` says why. */
  readonly isComplete: boolean;
  /** Why rows are missing, as whole sentences. */
  readonly missing?: string;
}

/** Where reports are read, with the rights of a person. */
export interface Cluster {
  objects(kind: 'SecretMigrationReport'): Pick<ObjectClient, 'get'>;
}

/** Reports that are read at the same time. */
const READ_BATCH = 8;

/**
 * Reads the table. A report that the migration does not control is not read as a part of it, whatever its name and labels
 * say (src/journal/reports.ts). Throws as `KubeClient.request`.
 */
export async function readTable(
  cluster: Cluster,
  migration: SecretMigration,
  signal: AbortSignal,
): Promise<Table> {
  const { keys = [], keysTruncated, reports } = migration.status;
  if (keysTruncated !== true && reports === undefined) return { ...tableOf(keys), isComplete: true };
  const shards: Shard[] = [];
  for (const series of await seriesOf(cluster, migration, signal))
    shards.push(...(await readSeries(cluster, { migration, series, signal })));
  // A run that was killed while it moved its rows left some in the status only.
  const table = tableOf(
    newest(
      keys,
      shards.flatMap(({ rows }) => rows),
    ),
  );
  const missing = whatIsMissing(migration, shards, table.rows.length);
  return missing === undefined ? { ...table, isComplete: true } : { ...table, isComplete: false, missing };
}

/** Reports that are numbered from 0 on. */
interface Series {
  /** As many are promised. */
  readonly count: number;
  readonly nameOf: (shard: number) => string;
}

/** The reports of the migration, or with spec.parallelism those of each range. */
async function seriesOf(
  cluster: Cluster,
  migration: SecretMigration,
  signal: AbortSignal,
): Promise<readonly Series[]> {
  const { metadata, spec, status } = migration;
  const count = spec.parallelism?.pods ?? 0;
  const ranges: Series[] = [];
  for (let index = 0; index < count; index += 1) {
    const series = await seriesOfRange(cluster, { migration, range: { index, count }, signal });
    if (series !== undefined) ranges.push(series);
  }
  // A run without the operator has no pods, and so no ranges.
  if (ranges.length > 0) return ranges;
  return [{ count: status.reports?.count ?? 0, nameOf: (shard) => reportName(metadata, shard) }];
}

/** Undefined for a range that no pod has begun. */
async function seriesOfRange(
  cluster: Cluster,
  { migration, range, signal }: Pick<Wanted, 'migration' | 'signal'> & { readonly range: Range },
): Promise<Series | undefined> {
  const { metadata } = migration;
  const { namespace } = metadata;
  const { index } = range;
  const report = { namespace, name: rangeName(metadata, index) };
  const object = await cluster.objects('SecretMigrationReport').get(report, signal);
  const stored = storedRange(object, migration, range);
  if (stored === undefined) return undefined;
  const promised = StoredCount.safeParse(stored.status).data?.reports.count ?? 0;
  return { count: promised, nameOf: (shard) => nameInRange(reportName(metadata, shard), index) };
}

const StoredCount = z.object({ reports: z.object({ count: z.int().min(0).max(MAX_REPORTS) }) });

async function readSeries(
  cluster: Cluster,
  {
    migration,
    series: { count, nameOf },
    signal,
  }: Omit<Wanted, 'name' | 'shard'> & { readonly series: Series },
): Promise<readonly Shard[]> {
  const read = async (shard: number): Promise<Shard> =>
    readShard(cluster, { migration, shard, name: nameOf(shard), signal });
  const shards = await counted(count, read);
  // What a run wrote since it last wrote the status.
  const end = Math.min(shards.length + MAX_UNCOUNTED, MAX_REPORTS);
  for (let shard = shards.length; shard < end; shard += 1) {
    const more = await read(shard);
    if (more.rows.length === 0) break;
    shards.push(more);
  }
  return shards;
}

interface Shard {
  readonly name: string;
  readonly rows: readonly StatusRow[];
  /** It is not there, is not that of the migration, or another writer changed it. */
  readonly isSound: boolean;
}

async function counted(count: number, read: (shard: number) => Promise<Shard>): Promise<Shard[]> {
  const shards: Shard[] = [];
  while (shards.length < count) {
    const first = shards.length;
    const batch = Array.from({ length: Math.min(READ_BATCH, count - first) }, (_, index) => first + index);
    shards.push(...(await Promise.all(batch.map(read))));
  }
  return shards;
}

interface Wanted {
  readonly migration: SecretMigration;
  readonly shard: number;
  readonly name: string;
  readonly signal: AbortSignal;
}

async function readShard(cluster: Cluster, { migration, name, shard, signal }: Wanted): Promise<Shard> {
  const { namespace } = migration.metadata;
  const object = await cluster.objects('SecretMigrationReport').get({ namespace, name }, signal);
  const report = ownContentOf(object, migration, shard);
  return { name, rows: report?.rows ?? [], isSound: report !== undefined && isBalanced(report) };
}

function whatIsMissing(
  { status: { reports, summary } }: SecretMigration,
  shards: readonly Shard[],
  found: number,
): string | undefined {
  const damaged = shards.find(({ isSound }) => !isSound);
  if (damaged !== undefined)
    return `The report ${damaged.name} is missing or was changed by another writer, so its rows are not shown.`;
  if (reports?.lost !== undefined)
    return `Another writer deleted or changed reports, and the rows of ${reports.lost.rows} keys are known to be missing.`;
  const expected = Math.max(reports?.rows ?? 0, summary?.total ?? 0);
  if (found >= expected) return undefined;
  return `The rows of ${found} of ${expected} keys are stored. The run stores the remaining rows as it proceeds.`;
}

/** What a report has of a document is newer than what the status has. */
function newest(inStatus: readonly StatusRow[], inReports: readonly StatusRow[]): readonly StatusRow[] {
  const reported = new Set(inReports.map(({ name }) => name));
  return [...inStatus.filter(({ name }) => !reported.has(name)), ...inReports];
}

function tableOf(stored: readonly StatusRow[]): Pick<Table, 'rows' | 'stored'> {
  return { rows: sorted(withoutDoubles(keyRowsOf(stored))), stored: stored.toSorted(byName) };
}

/** The last row of a key wins: its document went to a later report. */
function withoutDoubles(rows: readonly KeyRow[]): readonly KeyRow[] {
  return [...new Map(rows.map((row) => [JSON.stringify([row.name, row.key]), row])).values()];
}

function sorted(rows: readonly KeyRow[]): readonly KeyRow[] {
  return rows.toSorted((left, right) => byName(left, right) || compare(left.key, right.key));
}

function byName(left: Pick<StatusRow, 'name'>, right: Pick<StatusRow, 'name'>): number {
  return compare(left.name, right.name);
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
