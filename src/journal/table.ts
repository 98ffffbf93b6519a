import { toKubernetesTime } from '#src/schema/meta.ts';
import { sameCopy, type Outcome, type PriorRecord, type State } from '#src/core/outcome.ts';
import type { RowReason } from '#src/errors/reasons.ts';
import { recordable, recordedName } from './recordable.ts';
import { rowCountOf, type TableEntry } from './rows.ts';
import { unknownAfter, type UnknownOfTable } from './unknown.ts';

/**
 * The per-key table of one migration during a run, by the names that rows can hold. It starts with what earlier runs recorded, so that the user never sees
 * fewer rows than before; `dropUnvisited` removes documents that a complete run did not set.
 */
export class RowTable {
  readonly #entries = new Map<string, TableEntry>();
  readonly #visited = new Set<string>();
  #rowCount = 0;

  constructor(prior: ReadonlyMap<string, PriorRecord>, unknown: UnknownOfTable = new Map()) {
    for (const record of prior.values()) {
      const { since, ...outcome } = record;
      this.#put({ outcome, since: toKubernetesTime(since), unknown: unknown.get(outcome.name) });
    }
  }

  /** Adds a document that the run will process; an existing entry stays. */
  expect(outcome: Outcome, nowMs: number): void {
    if (this.#entries.has(recordedName(outcome.name))) return;
    this.#put({ outcome: recordable(outcome), since: toKubernetesTime(nowMs) });
  }

  /**
   * Sets the outcome of a document. The transition time changes only if the state, its reason or the copy changes, or if
   * this run wrote the copy. For a proven document it is the time of the proof: soak and the life of a backup count from it.
   */
  set(reported: Outcome, nowMs: number): TableEntry {
    const outcome = recordable(reported);
    const before = this.#entries.get(outcome.name);
    const same = before !== undefined && sameState(before.outcome, outcome);
    const unknown = unknownAfter(before?.unknown, { before: before?.outcome ?? outcome, after: outcome });
    const entry = { outcome, since: same ? before.since : toKubernetesTime(nowMs), unknown };
    this.#put(entry);
    this.#visited.add(outcome.name);
    return entry;
  }

  /** Removes documents that were not `set`. */
  dropUnvisited(): void {
    for (const name of this.#entries.keys()) if (!this.#visited.has(name)) this.delete(name);
  }

  delete(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#rowCount -= rowCountOf(entry);
  }

  get(name: string): TableEntry | undefined {
    return this.#entries.get(name);
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  *outcomes(): Generator<Outcome> {
    for (const entry of this.#entries.values()) yield entry.outcome;
  }

  /** Sorted by document name. */
  *entries(): Generator<TableEntry> {
    for (const name of [...this.#entries.keys()].toSorted()) {
      const entry = this.#entries.get(name);
      if (entry !== undefined) yield entry;
    }
  }

  /** Number of documents. */
  get size(): number {
    return this.#entries.size;
  }

  /** Number of rows, including those of documents that are only expected. */
  get rowCount(): number {
    return this.#rowCount;
  }

  #put(entry: TableEntry): void {
    const { name } = entry.outcome;
    const before = this.#entries.get(name);
    this.#entries.set(name, entry);
    this.#rowCount += rowCountOf(entry) - (before === undefined ? 0 : rowCountOf(before));
  }
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
