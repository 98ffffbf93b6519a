import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { MAX_REPORT_BYTES } from '#src/api/v1alpha1/secret-migration-report.ts';

/*
 * How large rows are in a status or report.
 */

/** Maximum bytes of a report without its rows: metadata, owner reference, summary. */
export const ENVELOPE_BYTES = 4 * 1024;
/** Bytes by which a row may grow when its state changes: a reason, a prior version. Messages are cut first, see `fit`. */
const ROW_RESERVE_BYTES = 128;
/** Bytes of the version and identity of a source or destination, reserved while a row lacks them. */
const VERSION_RESERVE_BYTES = 96;

/** Bytes as part of a JSON array: each row is followed by a comma or bracket. */
export function jsonBytesOf(rows: readonly StatusRow[]): number {
  return rows.reduce((sum, row) => sum + Buffer.byteLength(JSON.stringify(row)) + 1, 0);
}

/** Bytes that rows may need; their messages are not counted, because `fit` can drop them. */
export function sizeOf(rows: readonly StatusRow[]): number {
  let bytes = 0;
  for (const { message: _message, ...row } of rows)
    bytes += Buffer.byteLength(JSON.stringify(row)) + reserveOf(row);
  return bytes;
}

function reserveOf({ source, destination }: Pick<StatusRow, 'source' | 'destination'>): number {
  const unknown = [source, destination].filter((record) => record?.version === undefined);
  return ROW_RESERVE_BYTES + unknown.length * VERSION_RESERVE_BYTES;
}

/** Drops the messages of a shard that is too large: they only explain the reasons. */
export function fit(rows: readonly StatusRow[]): readonly StatusRow[] {
  if (Buffer.byteLength(JSON.stringify(rows)) + ENVELOPE_BYTES <= MAX_REPORT_BYTES) return rows;
  return rows.map(({ message: _message, ...row }) => row);
}
