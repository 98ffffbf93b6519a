import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';

/*
 * The rows of an evidence report as a chain: the hash of each row covers the row and the hash before it, and the first one
 * covers everything that is not a row. So the last hash, the head, stands for the whole report. The hashes are over names,
 * versions, times and counts; no value and no length of one is in a report.
 */

/** What the report says of its chain. */
export interface Chain {
  readonly algorithm: 'SHA-256';
  /** Hash of all that is neither a row nor the chain. */
  readonly start: string;
  /** Number of rows. */
  readonly rows: number;
  /** Hash of the last row; without rows that of the start. */
  readonly head: string;
}

/** A row with its place in the chain. */
export type Linked<Row> = Row & { readonly hash: string };

/** Where a chain is broken. The index of a row counts from 0. */
export type Break =
  { readonly at: 'start' } | { readonly at: 'row'; readonly index: number } | { readonly at: 'end' };

/** Links the rows behind a header, which is everything else in the report. */
export function linked<Row extends object>(
  header: object,
  rows: readonly Row[],
): { readonly rows: readonly Linked<Row>[]; readonly chain: Chain } {
  const start = hashOf(canonicalJson(header));
  let head = start;
  const links = rows.map((row) => {
    head = linkOf(head, row);
    return { ...row, hash: head };
  });
  return { rows: links, chain: { algorithm: 'SHA-256', start, rows: rows.length, head } };
}

/** The first place where the chain does not fit to what the report has; undefined if it fits everywhere. */
export function breakOf(
  header: object,
  rows: readonly Linked<object>[],
  chain: Pick<Chain, 'start' | 'rows' | 'head'>,
): Break | undefined {
  if (hashOf(canonicalJson(header)) !== chain.start) return { at: 'start' };
  let previous = chain.start;
  for (const [index, { hash, ...row }] of rows.entries()) {
    previous = linkOf(previous, row);
    if (previous !== hash) return { at: 'row', index };
  }
  return previous === chain.head && rows.length === chain.rows ? undefined : { at: 'end' };
}

/** Neither part can contain a line break: one is hexadecimal, and canonical JSON escapes them. */
function linkOf(previous: string, row: object): string {
  return hashOf(`${previous}\n${canonicalJson(row)}`);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
