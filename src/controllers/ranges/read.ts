import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { RangeState } from '#src/api/v1alpha1/secret-migration-report.ts';
import { keyCountOf } from '#src/core/outcome.ts';
import type { Range } from '#src/core/ranges.ts';
import { lossOf, type Loss } from '#src/journal/loss.ts';
import { beginningOf, rangeName, reportsOfRange, storedRange } from '#src/journal/range-object.ts';
import { isBalanced, ownContentOf, reportName } from '#src/journal/report-object.ts';
import type { ReportStore } from '#src/journal/reports.ts';

/** What a range says of itself. */
export interface RangeRead {
  readonly range: Range;
  readonly ended: RangeState['ended'];
  readonly status: SecretMigration['status'];
}

/** Ranges, and reports of one, that are read at the same time. */
const BATCH = 8;

/** The ranges of the number that the spec has. Throws what the store throws. */
export function rangesOf({ spec }: SecretMigration): readonly Range[] {
  const count = spec.parallelism?.pods ?? 0;
  return Array.from({ length: count }, (_, index) => ({ index, count }));
}

/** Reads the state of every range. One that has none, or that another writer changed beyond use, has not begun. */
export async function readRanges(
  store: Pick<ReportStore, 'get'>,
  migration: SecretMigration,
  signal: AbortSignal,
): Promise<readonly RangeRead[]> {
  return await inBatches(rangesOf(migration), async (range) =>
    readRange(store, { migration, range, signal }),
  );
}

interface Wanted {
  readonly migration: SecretMigration;
  readonly range: Range;
  readonly signal: AbortSignal;
}

async function readRange(
  store: Pick<ReportStore, 'get'>,
  { migration, range, signal }: Wanted,
): Promise<RangeRead> {
  const { metadata } = migration;
  const { namespace } = metadata;
  const object = await store.get({ namespace, name: rangeName(metadata, range.index) }, signal);
  const stored = storedRange(object, migration, range);
  const parsed = parseSecretMigration({ ...migration, status: stored?.status ?? beginningOf(migration) });
  return parsed.ok
    ? { range, ended: stored?.ended, status: parsed.value.status }
    : { range, ended: undefined, status: { ...beginningOf(migration) } };
}

/**
 * What is missing of the reports of a range. Reads every one of them and keeps counts only. Throws what the store throws.
 */
export async function lossOfRange(
  reports: ReportStore,
  migration: SecretMigration,
  { range, status }: RangeRead,
  signal: AbortSignal,
): Promise<Loss | undefined> {
  const store = reportsOfRange(reports, range);
  const { metadata } = migration;
  const shards = Array.from({ length: status.reports?.count ?? 0 }, (_, shard) => shard);
  const keys = await inBatches(shards, async (shard) => {
    const name = reportName(metadata, shard);
    const object = await store.get({ namespace: metadata.namespace, name }, signal);
    const content = ownContentOf(object, migration, shard);
    return content !== undefined && isBalanced(content)
      ? content.rows.reduce((sum, row) => sum + keyCountOf(row), 0)
      : undefined;
  });
  const damagedReports = keys.filter((each) => each === undefined).length;
  const stored = keys.reduce<number>((sum, each) => sum + (each ?? 0), 0);
  return lossOf({ ...migration, status }, { damagedReports, keys: stored });
}

async function inBatches<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  while (results.length < items.length)
    results.push(...(await Promise.all(items.slice(results.length, results.length + BATCH).map(run))));
  return results;
}
