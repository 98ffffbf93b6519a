import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { MAX_REPORT_BYTES } from '#src/api/v1alpha1/secret-migration-report.ts';
import { keyCountOf } from '#src/core/outcome.ts';

/*
 * How large rows are in a status or report.
 */

/** Maximum bytes of a report without its rows: metadata, owner reference, summary. */
export const ENVELOPE_BYTES = 4 * 1024;
/** Bytes by which a row may grow when its state changes: a reason, a prior version. Messages are cut first, see `fit`. */
const ROW_RESERVE_BYTES = 128;
/** Bytes of the version and identity of a source or destination, reserved while a row lacks them. */
const VERSION_RESERVE_BYTES = 96;

/** What rows count for in a shard. */
export interface Weight {
  readonly rows: number;
  readonly keys: number;
  /** Bytes as part of a JSON array: each row is followed by a comma or bracket. */
  readonly json: number;
  /** Bytes that rows may need; their messages are not counted, because `fit` can drop them. */
  readonly size: number;
}

/** A row as JSON. */
export function asJson(row: StatusRow): string {
  return JSON.stringify(row);
}

/** The weight of one row; `json` is its JSON. */
export function weigh(row: StatusRow, json = asJson(row)): Weight {
  const bytes = Buffer.byteLength(json);
  return {
    rows: 1,
    keys: keyCountOf(row),
    json: bytes + 1,
    size: bytes - messageBytes(row) + reserveOf(row),
  };
}

/** The weight of several rows together. */
export function sumOf(weights: readonly Weight[]): Weight {
  let [rows, keys, json, size] = [0, 0, 0, 0];
  for (const weight of weights) {
    rows += weight.rows;
    keys += weight.keys;
    json += weight.json;
    size += weight.size;
  }
  return { rows, keys, json, size };
}

/** Bytes of the message as a member that others follow. */
function messageBytes({ message }: StatusRow): number {
  return message === undefined ? 0 : Buffer.byteLength(JSON.stringify({ message })) - 1;
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
