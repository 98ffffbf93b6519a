import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { parseSecretMigrationReport } from '#src/api/v1alpha1/secret-migration-report.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import type { LocalObjects } from './objects.ts';

/** All rows of the migration, whether they are in its status or in reports. */
export function rowsOf(migration: SecretMigration, objects: LocalObjects): readonly StatusRow[] {
  const { keys, reports } = migration.status;
  if (keys !== undefined) return keys;
  const shards = objects.ofKind('SecretMigrationReport').flatMap((object) => {
    const parsed = parseSecretMigrationReport(object);
    return parsed.ok && parsed.value.report.shard < (reports?.count ?? 0) ? [parsed.value.report] : [];
  });
  return shards.toSorted((left, right) => left.shard - right.shard).flatMap(({ rows }) => rows);
}

/** The migration as the cluster would have it, with all its rows in `status.keys`. */
export function withRows(migration: SecretMigration, rows: readonly StatusRow[]): object {
  const { apiVersion, kind, metadata, spec, status } = migration;
  const { exceptions: _some, keysTruncated: _truncated, reports: _reports, ...rest } = status;
  return { apiVersion, kind, metadata, spec, status: { ...rest, keys: rows } };
}
