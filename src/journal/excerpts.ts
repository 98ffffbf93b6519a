import { MAX_EXCEPTIONS, MAX_EXCEPTIONS_BYTES } from '#src/api/v1alpha1/secret-migration.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { toRows } from './rows.ts';
import type { RowTable } from './table.ts';

/** The first rows that are not done, within the limits of the status. */
export function exceptionsOf(table: RowTable): StatusRow[] {
  return firstExceptions(openRows(table));
}

/** The first of these rows, within the limits of the status. */
export function firstExceptions(rows: Iterable<StatusRow>): StatusRow[] {
  const first: StatusRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    if (first.length === MAX_EXCEPTIONS || bytes > MAX_EXCEPTIONS_BYTES) break;
    first.push(row);
  }
  return first;
}

function* openRows(table: RowTable): Generator<StatusRow> {
  for (const entry of table.open(MAX_EXCEPTIONS)) yield* toRows(entry);
}
