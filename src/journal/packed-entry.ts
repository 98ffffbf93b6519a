import { ByteWriter } from './bytes.ts';

/*
 * What the journal keeps of a document, as one flat string: a Map with a string a document is the least that can be.
 *
 *   marks  │  homes: how many, then shard and rows of each  │  lengths of the parts, if there are several  │  parts
 */

/** Where rows of a document are: so many of them, in their order, in a shard. */
export interface Home {
  readonly shard: number;
  readonly rows: number;
}

/** What the journal keeps of a document. Rows are packed: see packed-row.ts. */
export interface Entry {
  /** The row of the table; undefined if the document is no longer in it. */
  readonly row?: string | undefined;
  /** What earlier runs recorded; undefined if they recorded nothing, or nothing that a run can find again. */
  readonly prior?: string | undefined;
  /** The stored rows, if this version would write the row in another way: see stored-form.ts. */
  readonly stored?: string | undefined;
  readonly homes: readonly Home[];
  /** The run set it. */
  readonly isVisited: boolean;
  /** Set or deleted since `prior` was last brought up to date. */
  readonly isNews: boolean;
  /** It needs no more work. */
  readonly isDone: boolean;
}

export const NO_ENTRY: Entry = { homes: [], isVisited: false, isNews: false, isDone: false };

const VISITED = 1;
const NEWS = 2;
const DONE = 4;
const ROW = 8;
/** It has a prior row: the row of the table itself, unless OTHER says that it is another one. */
const PRIOR = 16;
const OTHER = 32;
const STORED = 64;

const writer = new ByteWriter();

/** The entry as a string of one byte a character that keeps no other string alive. */
export function packEntry(entry: Entry): string {
  const { homes, row = '', stored = '' } = entry;
  const marks = marksOf(entry);
  const other = marks & OTHER ? (entry.prior ?? '') : '';
  const lengths = marks & (OTHER | STORED) ? [row.length, other.length] : [];
  const places = homes.flatMap((home) => [home.shard, home.rows]);
  for (const number of [marks, homes.length, ...places, ...lengths]) writer.number(number);
  for (const part of [row, other, stored]) writer.raw(part);
  return writer.take();
}

function marksOf(entry: Entry): number {
  const { prior, row } = entry;
  return (
    mark(entry.isVisited, VISITED) |
    mark(entry.isNews, NEWS) |
    mark(entry.isDone, DONE) |
    mark(row !== undefined, ROW) |
    mark(prior !== undefined, PRIOR) |
    mark(prior !== undefined && prior !== row, OTHER) |
    mark(entry.stored !== undefined, STORED)
  );
}

function mark(is: boolean, as: number): number {
  return is ? as : 0;
}

export function unpackEntry(packed: string): Entry {
  const marks = packed.charCodeAt(0);
  const at = { index: 1 };
  const homes: Home[] = [];
  for (let count = numberAt(packed, at); count > 0; count -= 1)
    homes.push({ shard: numberAt(packed, at), rows: numberAt(packed, at) });
  const [row, other, stored] = partsAt(packed, at, (marks & (OTHER | STORED)) !== 0);
  const inTable = marks & ROW ? row : undefined;
  const prior = marks & OTHER ? other : inTable;
  return {
    row: inTable,
    prior: marks & PRIOR ? prior : undefined,
    stored: marks & STORED ? stored : undefined,
    homes,
    isVisited: (marks & VISITED) !== 0,
    isNews: (marks & NEWS) !== 0,
    isDone: (marks & DONE) !== 0,
  };
}

/** True for an entry with a row that needs more work. */
export function isOpen(packed: string): boolean {
  return (packed.charCodeAt(0) & (ROW | DONE)) === ROW;
}

/** True for an entry with a row. */
export function hasRow(packed: string): boolean {
  return (packed.charCodeAt(0) & ROW) !== 0;
}

/** True for an entry with a row that is in no shard. */
export function isHomeless(packed: string): boolean {
  return hasRow(packed) && packed.charCodeAt(1) === 0;
}

/** True for an entry that has stored rows in another form. */
export function isStoredOtherwise(packed: string): boolean {
  return (packed.charCodeAt(0) & STORED) !== 0;
}

/** True for an entry with a prior row. */
export function hasPrior(packed: string): boolean {
  return (packed.charCodeAt(0) & PRIOR) !== 0;
}

/** True for an entry that is news. */
export function isNews(packed: string): boolean {
  return (packed.charCodeAt(0) & NEWS) !== 0;
}

/** True for an entry that the run did not set. */
export function isUnvisited(packed: string): boolean {
  return (packed.charCodeAt(0) & VISITED) === 0;
}

function partsAt(
  packed: string,
  at: { index: number },
  isSeveral: boolean,
): readonly [string, string, string] {
  if (!isSeveral) return [packed.slice(at.index), '', ''];
  const rowLength = numberAt(packed, at);
  const otherLength = numberAt(packed, at);
  const other = at.index + rowLength;
  const stored = other + otherLength;
  return [packed.slice(at.index, other), packed.slice(other, stored), packed.slice(stored)];
}

/** A number as `ByteWriter` wrote it. */
function numberAt(packed: string, at: { index: number }): number {
  let value = 0;
  for (let unit = 1; ; unit *= 0x80) {
    const code = packed.charCodeAt(at.index);
    at.index += 1;
    value += (code % 0x80) * unit;
    if (code < 0x80) return value;
  }
}
