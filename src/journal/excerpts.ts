import {
  MAX_EXCEPTIONS,
  MAX_EXCEPTIONS_BYTES,
  type SecretMigrationStatus,
} from '#src/api/v1alpha1/secret-migration.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { countOutcomes } from '#src/core/outcome.ts';
import { toRows } from './rows.ts';
import { isDone, type RowTable } from './table.ts';

/** Counts of keys for each of these rules, in their order; nothing without rules. */
export function byRule(table: RowTable, rules: readonly string[]): Pick<SecretMigrationStatus, 'rules'> {
  if (rules.length === 0) return {};
  const outcomes = Map.groupBy(table.outcomes(), ({ rule }) => rule);
  return {
    rules: rules.map((rule) => {
      const counts = countOutcomes(outcomes.get(rule) ?? []);
      const { total, verified, removed, skipped, failed, conflict } = counts;
      return { rule, total, migrated: verified + removed, skipped, failed: failed + conflict };
    }),
  };
}

/** The first rows that are not done, within the limits of the status. */
export function exceptionsOf(table: RowTable): StatusRow[] {
  const rows: StatusRow[] = [];
  let bytes = 0;
  for (const entry of table.entries()) {
    if (isDone(entry.outcome)) continue;
    for (const row of toRows(entry)) {
      bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
      if (rows.length === MAX_EXCEPTIONS || bytes > MAX_EXCEPTIONS_BYTES) return rows;
      rows.push(row);
    }
  }
  return rows;
}
