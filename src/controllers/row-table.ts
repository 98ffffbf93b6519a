import { isRowReason } from '#src/api/v1alpha1/conditions.ts';
import { MAX_ROW_MESSAGE, type StatusRow } from '#src/api/v1alpha1/secret-migration.ts';
import { shortened } from '#src/errors/explain.ts';
import { rowsOf, type Outcome, type Place, type PriorRecord, type State } from '#src/core/outcome.ts';

/** One document of the table: what is known of it and since when. */
export interface TableEntry {
  readonly outcome: Outcome;
  /** RFC 3339 with seconds: when the state was entered. */
  readonly since: string;
}

/** RFC 3339 in UTC with whole seconds, as Kubernetes writes times. */
export function toKubernetesTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Rows of one document: one per field, or a single row with an empty key. */
export function toRows({ outcome, since }: TableEntry): StatusRow[] {
  const keys = outcome.keys.length === 0 ? [''] : outcome.keys;
  return keys.map((key) => ({
    name: outcome.name,
    key,
    state: outcome.state,
    ...(outcome.reason === undefined ? {} : { reason: outcome.reason }),
    ...(outcome.message === undefined ? {} : { message: shortened(outcome.message, MAX_ROW_MESSAGE) }),
    ...(outcome.destination === undefined ? {} : { destination: outcome.destination }),
    ...(outcome.source === undefined ? {} : { source: outcome.source }),
    ...(outcome.rule === undefined ? {} : { rule: outcome.rule }),
    ...(outcome.backup === undefined ? {} : { backup: outcome.backup }),
    lastTransitionTime: since,
  }));
}

/** Documents that recorded rows speak of, for the next run. */
export function toPriorRecords(rows: Iterable<StatusRow>): ReadonlyMap<string, PriorRecord> {
  const records = new Map<string, PriorRecord & { keys: string[] }>();
  for (const row of rows) {
    const known = records.get(row.name);
    if (known !== undefined) known.keys.push(row.key);
    else {
      records.set(row.name, {
        name: row.name,
        keys: row.key === '' ? [] : [row.key],
        state: row.state,
        ...(isRowReason(row.reason) ? { reason: row.reason } : {}),
        ...(row.message === undefined ? {} : { message: row.message }),
        ...(row.destination === undefined ? {} : { destination: toDestination(row.destination) }),
        ...(row.source === undefined ? {} : { source: row.source }),
        ...(row.rule === undefined ? {} : { rule: row.rule }),
        ...(row.backup === undefined ? {} : { backup: row.backup }),
        since: Date.parse(row.lastTransitionTime),
      });
    }
  }
  return records;
}

function toDestination({ path, version, priorVersion }: NonNullable<StatusRow['destination']>): Place {
  return {
    path,
    ...(version === undefined ? {} : { version }),
    ...(priorVersion === undefined ? {} : { priorVersion }),
  };
}

/**
 * The per-key table of one migration while a run fills it. Begins with what earlier runs recorded, so that the user
 * never sees fewer rows than before; `dropUnvisited` removes what a complete run did not meet again.
 */
export class RowTable {
  readonly #entries = new Map<string, TableEntry>();
  readonly #visited = new Set<string>();
  #rowCount = 0;

  constructor(prior: ReadonlyMap<string, PriorRecord>) {
    for (const record of prior.values()) {
      const { since, ...outcome } = record;
      this.#put({ outcome, since: toKubernetesTime(since) });
    }
  }

  /** Announces a document that will be worked on; what is already known of it stays. */
  expect(outcome: Outcome, nowMs: number): void {
    if (!this.#entries.has(outcome.name)) this.#put({ outcome, since: toKubernetesTime(nowMs) });
  }

  /** The time of transition moves only when the state does. */
  set(outcome: Outcome, nowMs: number): TableEntry {
    const before = this.#entries.get(outcome.name);
    const same = before !== undefined && sameState(before.outcome, outcome);
    const entry = { outcome, since: same ? before.since : toKubernetesTime(nowMs) };
    this.#put(entry);
    this.#visited.add(outcome.name);
    return entry;
  }

  dropUnvisited(): void {
    for (const [name, entry] of this.#entries) {
      if (this.#visited.has(name)) continue;
      this.#entries.delete(name);
      this.#rowCount -= rowsOf(entry.outcome);
    }
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  *outcomes(): Generator<Outcome> {
    for (const entry of this.#entries.values()) yield entry.outcome;
  }

  /** Sorted by document name, then key. */
  *entries(): Generator<TableEntry> {
    for (const name of [...this.#entries.keys()].toSorted()) {
      const entry = this.#entries.get(name);
      if (entry !== undefined) yield entry;
    }
  }

  /** Documents. */
  get size(): number {
    return this.#entries.size;
  }

  /** Rows of all documents, those included that are only announced. */
  get rowCount(): number {
    return this.#rowCount;
  }

  #put(entry: TableEntry): void {
    const { name } = entry.outcome;
    const before = this.#entries.get(name);
    this.#entries.set(name, entry);
    this.#rowCount += rowsOf(entry.outcome) - (before === undefined ? 0 : rowsOf(before.outcome));
  }
}

function sameState(before: Outcome, after: Outcome): boolean {
  const sameVersion = before.destination?.version === after.destination?.version;
  return before.state === after.state && before.reason === after.reason && sameVersion;
}

const FINE: ReadonlySet<State> = new Set(['Verified', 'Removed', 'Skipped']);

export function isFine(outcome: Outcome): boolean {
  return FINE.has(outcome.state);
}
