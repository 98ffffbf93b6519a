import { MAX_EXCEPTIONS, MAX_EXCEPTIONS_BYTES } from '#src/api/v1alpha1/secret-migration.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { toRows } from './rows.ts';
import type { RowTable } from './table.ts';

/** The first rows that are not done, within the limits of the status. */
export function exceptionsOf(table: RowTable): StatusRow[] {
  const rows: StatusRow[] = [];
  let bytes = 0;
  for (const entry of table.open(MAX_EXCEPTIONS)) {
    for (const row of toRows(entry)) {
      bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
      if (rows.length === MAX_EXCEPTIONS || bytes > MAX_EXCEPTIONS_BYTES) return rows;
      rows.push(row);
    }
  }
  return rows;
}
