import { MAX_COUNT } from '#src/schema/meta.ts';
import { someRemoveSource } from '#src/core/checks.ts';
import type { SecretMigration, SecretMigrationStatus } from '#src/api/v1alpha1/secret-migration.ts';

/** What was lost of a table: see `status.reports.lost`. */
export type Loss = NonNullable<NonNullable<SecretMigrationStatus['reports']>['lost']>;

/** Both losses together; undefined if there is none. */
export function addLoss(before: Loss | undefined, found: Loss | undefined): Loss | undefined {
  if (before === undefined || found === undefined) return before ?? found;
  return {
    reports: Math.min(before.reports + found.reports, MAX_COUNT),
    rows: Math.min(before.rows + found.rows, MAX_COUNT),
    unrecoverable: before.unrecoverable || found.unrecoverable,
  };
}

/**
 * The loss between what the status promises and what is stored; undefined if there is none. Rows of removed sources can be
 * among lost rows if the migration removes sources or has removed some: the source no longer lists those.
 */
export function lossOf(
  migration: SecretMigration,
  stored: { readonly damagedReports: number; readonly keys: number },
): Loss | undefined {
  const promised = migration.status.reports?.rows ?? 0;
  const rows = Math.max(0, promised - stored.keys);
  if (rows === 0 && stored.damagedReports === 0) return undefined;
  return { reports: stored.damagedReports, rows, unrecoverable: mayHaveRemoved(migration) };
}

function mayHaveRemoved({ spec, status }: SecretMigration): boolean {
  const { prefixes = [], patterns = [], overrides = [] } = spec.mapping;
  const removes = someRemoveSource(spec.sourcePolicy, [...prefixes, ...patterns, ...overrides]);
  return removes || (status.summary?.removed ?? 0) > 0;
}
