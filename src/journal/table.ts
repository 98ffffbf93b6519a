import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import type { PriorRecords } from '#src/core/journal.ts';
import { sameCopy, type Counts, type Outcome, type PriorRecord, type State } from '#src/core/outcome.ts';
import type { RowReason } from '#src/errors/reasons.ts';
import { Entries } from './entries.ts';
import {
  hasRow,
  isHomeless,
  isNews,
  isOpen,
  isStoredOtherwise,
  isUnvisited,
  NO_ENTRY,
  type Entry,
} from './packed-entry.ts';
import { RowCodec } from './packed-row.ts';
import { PriorRows } from './prior-rows.ts';
import { isFindable, recordable, recordedName } from './recordable.ts';
import { asJson } from './row-bytes.ts';
import { recordOf, rowCountOf, toRows, type TableEntry } from './rows.ts';
import { isSameEntry } from './same-entry.ts';
import { ShardLayout, type Housed } from './shards.ts';
import { appended, otherForm, rowsIn } from './stored-form.ts';
import { Tally } from './tally.ts';
import { Times } from './times.ts';
import { bothUnknown, unknownAfter, unknownIn } from './unknown.ts';

/** How rows of earlier runs are taken over. */
export interface Adoption {
  /** What the records of these rows say now. */
  readonly judged?: (record: PriorRecord) => PriorRecord;
  /** The shard that has them; undefined: they are in the status. */
  readonly shard?: number;
}

/**
 * The per-key table of one migration during a run, by the names that rows can hold. It starts with what earlier runs recorded, so
 * that the user never sees fewer rows than before; `dropUnvisited` removes documents that a complete run did not set.
 *
 * Of each document it keeps one short string (ADR 0080), and makes of it what is asked for.
 */
export class RowTable {
  readonly #entries = new Entries();
  readonly #codec = new RowCodec(() => this.#numbersInUse());
  readonly #tally: Tally;
  readonly #times = new Times();
  /** Which rows are in which report. Rows that are only expected are in none. */
  readonly layout = new ShardLayout((name) => this.#housed(name));
  /** What earlier runs recorded, without names and paths that were cut: it stays as it is until `goOn`. */
  readonly prior = new PriorRows(this.#entries, this.#codec);

  /** `rules`: ids of the mapping rules to count keys for. */
  constructor(prior: Pick<PriorRecords, 'values'> = new Map(), rules: readonly string[] = []) {
    this.#tally = new Tally(rules);
    for (const { since, ...outcome } of prior.values())
      this.#adopt({ outcome, since: this.#times.textOf(since) }, undefined, NO_ENTRY);
  }

  /** Takes over rows that earlier runs stored, all of one report or of the status. A report knows better than the status. */
  adopt(rows: readonly StatusRow[], { judged = (record) => record, shard }: Adoption): void {
    if (shard !== undefined) this.layout.grow(shard);
    for (const [name, group] of Map.groupBy(rows, (row) => row.name)) {
      const kept = this.#entries.get(name);
      const before = this.#unpacked(name, kept);
      const known = before === undefined || kept.homes.length === 0 ? [] : toRows(before);
      const [first, ...others] = [...known, ...group];
      if (first === undefined) continue;
      const { since, ...outcome } = judged(recordOf([first, ...others]));
      const unknown = bothUnknown(before?.unknown, unknownIn(group));
      const entry = { outcome, since: this.#times.textOf(since), unknown };
      if (shard === undefined) this.#adopt(entry, before, kept);
      else {
        const json = group.map(asJson);
        const homes = [...kept.homes, this.layout.adopt(shard, name, group, json)];
        const stored =
          kept.stored === undefined
            ? otherForm([...known.map(asJson), ...json], toRows(entry))
            : appended(kept.stored, json);
        this.#adopt(entry, before, { ...kept, homes, stored });
      }
    }
  }

  /** Adds a document that the run will process; an existing entry stays. */
  expect(reported: Outcome, nowMs: number): void {
    const name = recordedName(reported.name);
    if (this.#entries.hasRow(name)) return;
    const outcome = recordable(reported);
    const entry = { outcome, since: this.#times.textOf(nowMs) };
    this.#tally.replace(undefined, counted(entry));
    const kept = this.#entries.get(name);
    this.#entries.put(name, { ...kept, row: this.#codec.pack(entry), isDone: isDone(outcome) });
  }

  /**
   * Sets the outcome of a document. The transition time changes only if the state, its reason or the copy changes, or if
   * this run wrote the copy. For a proven document it is the time of the proof: soak and the life of a backup count from it.
   */
  set(reported: Outcome, nowMs: number): TableEntry {
    const outcome = recordable(reported);
    const { name } = outcome;
    const kept = this.#entries.get(name);
    const before = kept.row === undefined ? undefined : this.#codec.recent(name, kept.row);
    const same = before !== undefined && sameState(before.outcome, outcome);
    const unknown = unknownAfter(before?.unknown, { before: before?.outcome ?? outcome, after: outcome });
    const entry = { outcome, since: same ? before.since : this.#times.textOf(nowMs), unknown };
    this.#place(entry, before, { ...kept, isVisited: true, isNews: true });
    return entry;
  }

  /** Places rows that are in no shard; with `isOther` also those that are stored in another form than this version writes. */
  house(isOther: boolean): void {
    const isMeant = isOther
      ? (packed: string) => isHomeless(packed) || isStoredOtherwise(packed)
      : isHomeless;
    for (const name of [...this.#entries.names(isMeant)].toSorted()) {
      const kept = this.#entries.get(name);
      const entry = this.#unpacked(name, kept);
      if (entry !== undefined) this.#place(entry, entry, kept);
    }
  }

  /** Another round begins: `prior` has what this run recorded so far, as it has for the next run. */
  goOn(): void {
    for (const name of this.#entries.names(isNews)) {
      const kept = this.#entries.get(name);
      const entry = this.#unpacked(name, kept);
      const isFound = entry !== undefined && isFindable(entry.outcome);
      this.#entries.put(name, { ...kept, prior: isFound ? kept.row : undefined, isNews: false });
    }
  }

  /** Removes documents that were not `set`. */
  dropUnvisited(): void {
    for (const name of this.#entries.names((packed) => hasRow(packed) && isUnvisited(packed)))
      this.#remove(name, false);
  }

  delete(name: string): void {
    this.#remove(name, true);
  }

  get(name: string): TableEntry | undefined {
    return this.#unpacked(name, this.#entries.get(name));
  }

  has(name: string): boolean {
    return this.#entries.hasRow(name);
  }

  *outcomes(): Generator<Outcome> {
    for (const name of this.#entries.names(hasRow)) {
      const entry = this.get(name);
      if (entry !== undefined) yield entry.outcome;
    }
  }

  /** Sorted by document name. Only for small tables. */
  *entries(): Generator<TableEntry> {
    yield* this.#entriesOf([...this.#entries.names(hasRow)].toSorted());
  }

  /** The first documents that are not done, sorted by name. */
  *open(limit: number): Generator<TableEntry> {
    yield* this.#entriesOf(this.#entries.firstNames(isOpen, limit));
  }

  get counts(): Counts {
    return this.#tally.counts;
  }

  /** Counts of keys for each rule, as the status shows them. */
  byRule(): ReturnType<Tally['byRule']> {
    return this.#tally.byRule();
  }

  /** Number of documents. */
  get size(): number {
    return this.#tally.documents;
  }

  /** Number of rows, including those of documents that are only expected. */
  get rowCount(): number {
    return this.#tally.rows;
  }

  *#entriesOf(names: readonly string[]): Generator<TableEntry> {
    for (const name of names) {
      const entry = this.get(name);
      if (entry !== undefined) yield entry;
    }
  }

  #unpacked(name: string, { row }: Pick<Entry, 'row'>): TableEntry | undefined {
    return row === undefined ? undefined : this.#codec.unpack(name, row);
  }

  /** The rows of a document as they are in its shards. */
  #housedRows({ homes, stored }: Entry, entry: TableEntry | undefined): readonly StatusRow[] {
    if (homes.length === 0 || entry === undefined) return [];
    return stored === undefined ? toRows(entry) : rowsIn(stored);
  }

  #housed(name: string): Housed | undefined {
    const kept = this.#entries.get(name);
    if (kept.homes.length === 0) return undefined;
    return { homes: kept.homes, rows: this.#housedRows(kept, this.#unpacked(name, kept)) };
  }

  /** Puts an entry in the table that earlier runs recorded, in place of another one. */
  #adopt(entry: TableEntry, before: TableEntry | undefined, kept: Entry): void {
    const { outcome } = entry;
    const isKnown = kept.row !== undefined && isSameEntry(before, entry);
    const row = isKnown ? kept.row : this.#codec.pack(entry);
    if (!isKnown) this.#tally.replace(before && counted(before), counted(entry));
    const prior = isFindable(outcome) ? row : undefined;
    this.#entries.put(outcome.name, { ...kept, row, prior, isDone: isDone(outcome) });
  }

  /** Puts an entry in the table, and in the shards of its rows. */
  #place(entry: TableEntry, before: TableEntry | undefined, kept: Entry): void {
    const { name } = entry.outcome;
    if (kept.homes.length > 0 && kept.stored === undefined && isSameEntry(before, entry)) {
      this.#entries.put(name, kept);
      return;
    }
    const row = this.#codec.pack(entry);
    const after = toRows(entry);
    const rows = kept.homes.length === 0 ? [] : this.#housedRows(kept, before);
    const homes = this.layout.place(name, { homes: kept.homes, rows, after });
    this.#tally.replace(before && counted(before), { outcome: entry.outcome, rows: after.length });
    const isNowDone = isDone(entry.outcome);
    this.#entries.put(name, { ...kept, row, homes, stored: undefined, isDone: isNowDone });
  }

  #remove(name: string, isNews: boolean): void {
    const kept = this.#entries.get(name);
    const entry = this.#unpacked(name, kept);
    if (entry === undefined) return;
    this.layout.remove({ homes: kept.homes, rows: this.#housedRows(kept, entry) });
    this.#tally.replace(counted(entry), undefined);
    this.#entries.put(name, {
      ...kept,
      row: undefined,
      stored: undefined,
      homes: [],
      isVisited: false,
      isNews: isNews || kept.isNews,
    });
  }

  #numbersInUse(): ReadonlySet<number> {
    const used = new Set<number>();
    for (const { prior, row } of this.#entries.values()) {
      if (row !== undefined) this.#codec.numbersIn(row, used);
      if (prior !== undefined && prior !== row) this.#codec.numbersIn(prior, used);
    }
    return used;
  }
}

function counted(entry: TableEntry): { readonly outcome: Outcome; readonly rows: number } {
  return { outcome: entry.outcome, rows: rowCountOf(entry) };
}

function sameState(before: Outcome, after: Outcome): boolean {
  return (
    after.copiedNow !== true &&
    before.state === after.state &&
    standing(before) === standing(after) &&
    sameCopy(before.destination, after.destination)
  );
}

/**
 * The part of the reason that is a state of its own. Why the source of a proven document is still there can change with
 * each run, and is no news about the copy.
 */
function standing({ state, reason }: Outcome): RowReason | undefined {
  if (state === 'Removed') return undefined;
  return state === 'Verified' && reason !== 'Projected' ? undefined : reason;
}

const DONE: ReadonlySet<State> = new Set(['Verified', 'Removed', 'Skipped']);

/** True when a document needs no more work; all others are exceptions. */
export function isDone(outcome: Outcome): boolean {
  return DONE.has(outcome.state);
}
