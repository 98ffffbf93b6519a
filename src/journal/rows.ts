import { isRowReason } from '#src/api/v1alpha1/conditions.ts';
import { MAX_ROW_KEYS, MAX_ROW_KEYS_BYTES, type StatusRow } from '#src/api/v1alpha1/status-row.ts';
import type {
  Outcome,
  DestinationRecord,
  PriorRecord,
  RecordedVersion,
  SourceRecord,
  Base,
  Planned,
} from '#src/core/outcome.ts';

import { withUnknown, type UnknownOfDocument } from './unknown.ts';

/** One document of the table: its outcome as rows can hold it (see `recordable`), and since when. */
export interface TableEntry {
  readonly outcome: Outcome;
  /** RFC 3339 with seconds: when the document entered its state. */
  readonly since: string;
  /** What rows of it have that only another version knows, by key. */
  readonly unknown?: UnknownOfDocument | undefined;
}

type SourceRow = NonNullable<StatusRow['source']>;
type DestinationRow = NonNullable<StatusRow['destination']>;
/** With reasons that this version knows. */
type Expected = Omit<NonNullable<StatusRow['expected']>, 'held' | 'reason'> &
  Pick<Planned, 'held' | 'reason'>;

/** Keys that one row has. */
interface Part {
  readonly keys: readonly string[];
  readonly newKeys?: readonly string[] | undefined;
}

/**
 * Rows of one document: one for the keys that are alike, and more where those do not fit into one. Their members are in the
 * order of the schema, because stored rows are compared as JSON.
 */
export function toRows(entry: TableEntry): StatusRow[] {
  const { outcome, unknown } = entry;
  if (unknown === undefined) return partsOf(outcome).map((part) => rowOf(entry, part));
  const alike = Map.groupBy(keysOf(outcome), (key) => JSON.stringify(unknown.get(key) ?? {}));
  return [...alike.values()].flatMap((keys) =>
    partsOf(onlyKeys(outcome, keys)).map((part) =>
      withUnknown(rowOf(entry, part), unknown.get(keys[0] ?? '')),
    ),
  );
}

/** The number of its rows. */
export function rowCountOf(entry: TableEntry): number {
  return entry.unknown === undefined ? partsOf(entry.outcome).length : toRows(entry).length;
}

function rowOf({ outcome, since }: TableEntry, part: Part): StatusRow {
  const { destination } = outcome;
  return {
    name: outcome.name,
    keys: [...part.keys],
    state: outcome.state,
    ...(outcome.reason === undefined ? {} : { reason: outcome.reason }),
    ...(outcome.message === undefined ? {} : { message: outcome.message }),
    ...(destination === undefined ? {} : { destination: fromDestination(destination, part) }),
    ...(outcome.source === undefined ? {} : { source: toSource(outcome.source) }),
    ...(outcome.base === undefined ? {} : { base: toBase(outcome.base) }),
    ...(outcome.planned === undefined ? {} : fromPlanned(outcome.planned)),
    ...(outcome.rule === undefined ? {} : { rule: outcome.rule }),
    ...(outcome.backup === undefined ? {} : { backup: outcome.backup }),
    lastTransitionTime: since,
  };
}

/** The names by which rows know the keys: a document without keys has one that is empty. */
function keysOf({ keys }: Pick<Outcome, 'keys'>): readonly string[] {
  return keys.length === 0 ? [''] : keys;
}

function onlyKeys({ keys, newKeys }: Outcome, chosen: readonly string[]): Part {
  if (keys.length === 0) return { keys };
  const newNames = new Map(keys.map((key, index) => [key, newKeys?.[index] ?? key]));
  return { keys: chosen, newKeys: newKeys && chosen.map((key) => newNames.get(key) ?? key) };
}

function partsOf({ keys, newKeys }: Part): readonly Part[] {
  const parts: Part[] = [];
  let start = 0;
  do {
    const end = endOfRow({ keys, newKeys }, start);
    parts.push({ keys: keys.slice(start, end), newKeys: newKeys?.slice(start, end) });
    start = end;
  } while (start < keys.length);
  return parts;
}

/** Where the keys of a row end that begins here: it has one at least, if there is one. */
function endOfRow({ keys, newKeys }: Part, start: number): number {
  const limit = Math.min(keys.length, start + MAX_ROW_KEYS);
  let bytes = 0;
  for (let end = start; end < limit; end += 1) {
    bytes += Buffer.byteLength(keys[end] ?? '') + Buffer.byteLength(newKeys?.[end] ?? '');
    if (bytes > MAX_ROW_KEYS_BYTES && end > start) return end;
  }
  return limit;
}

/** The documents of recorded rows, by name: the inverse of `toRows`, without `retry`. */
export function toPriorRecords(rows: Iterable<StatusRow>): ReadonlyMap<string, PriorRecord> {
  const byName = Map.groupBy(rows, ({ name }) => name);
  return new Map(
    [...byName].flatMap(([name, [first, ...others]]) =>
      first === undefined ? [] : [[name, recordOf([first, ...others])] as const],
    ),
  );
}

/** One document of recorded rows. */
export function recordOf(rows: readonly [StatusRow, ...StatusRow[]]): PriorRecord {
  const [row] = rows;
  return {
    name: row.name,
    ...keysIn(rows),
    state: row.state,
    ...(isRowReason(row.reason) ? { reason: row.reason } : {}),
    ...(row.message === undefined ? {} : { message: row.message }),
    ...(row.destination === undefined ? {} : { destination: toDestination(row.destination) }),
    ...(row.source === undefined ? {} : { source: toSource(row.source) }),
    ...(row.base === undefined ? {} : { base: toBase(row.base) }),
    ...(row.planned === undefined ? {} : { planned: toPlanned(row.planned, row.expected) }),
    ...(row.rule === undefined ? {} : { rule: row.rule }),
    ...(row.backup === undefined ? {} : { backup: row.backup }),
    since: Date.parse(row.lastTransitionTime),
  };
}

/** What the next run reads of an entry: the same as `toPriorRecords` of its rows. */
export function toPriorRecord(entry: TableEntry): PriorRecord {
  const { outcome, since, unknown } = entry;
  const { copiedNow: _copiedNow, newKeys, retry: _retry, ...recorded } = outcome;
  const record = { ...recorded, since: Date.parse(since) };
  if (unknown !== undefined) return toPriorRecords(toRows(entry)).get(outcome.name) ?? record;
  const isRenamed =
    outcome.destination !== undefined && newKeys?.some((key, index) => key !== outcome.keys[index]) === true;
  return isRenamed ? { ...record, newKeys } : record;
}

/** A run that was killed while a document went to another report left the row of a key in both. */
function keysIn(rows: readonly StatusRow[]): Pick<PriorRecord, 'keys' | 'newKeys'> {
  const [only, ...others] = rows;
  if (only !== undefined && others.length === 0) return { keys: only.keys, ...newKeysIn(only) };
  const named = rows.flatMap(({ destination, keys }) =>
    keys.map((key, index) => [key, destination?.keys?.[index] ?? key] as const),
  );
  const byKey = new Map(named);
  const isRenamed = rows.some(({ destination }) => destination?.keys !== undefined);
  return { keys: [...byKey.keys()], ...(isRenamed ? { newKeys: [...byKey.values()] } : {}) };
}

function newKeysIn({ destination }: StatusRow): Pick<PriorRecord, 'newKeys'> {
  return destination?.keys === undefined ? {} : { newKeys: destination.keys };
}

function fromDestination(destination: DestinationRecord, { keys, newKeys }: Part): DestinationRow {
  const { path, ...place } = toDestination(destination);
  const isRenamed = newKeys?.some((key, index) => key !== keys[index]) === true;
  return { path, ...(isRenamed ? { keys: [...newKeys] } : {}), ...place };
}

function toDestination(row: DestinationRow | DestinationRecord): DestinationRecord {
  const { path, priorVersion, created, originalVersion } = row;
  return {
    path,
    ...toVersion(row),
    ...(priorVersion === undefined ? {} : { priorVersion }),
    ...(created === undefined ? {} : { created }),
    ...(originalVersion === undefined ? {} : { originalVersion }),
  };
}

function toSource(row: SourceRow | SourceRecord): SourceRecord {
  return { ...(row.path === undefined ? {} : { path: row.path }), ...toVersion(row) };
}

function toBase({ source, destination }: NonNullable<StatusRow['base']> | Base): Base {
  return {
    ...(source === undefined ? {} : { source: toVersion(source) }),
    ...(destination === undefined ? {} : { destination: toVersion(destination) }),
  };
}

function toVersion({ version, identity }: Pick<SourceRow, 'version' | 'identity'>): RecordedVersion {
  return { ...(version === undefined ? {} : { version }), ...(identity === undefined ? {} : { identity }) };
}

/** What a row expects, in the order of the schema. */
function fromPlanned({ action, ...expected }: Planned): Pick<StatusRow, 'planned' | 'expected'> {
  const rest = toExpected(expected);
  return { planned: action, ...(Object.keys(rest).length === 0 ? {} : { expected: rest }) };
}

function toPlanned(action: Planned['action'], expected: NonNullable<StatusRow['expected']> = {}): Planned {
  const { held, reason, ...rest } = expected;
  const reasons = {
    ...(isRowReason(held) ? { held } : {}),
    ...(isRowReason(reason) ? { reason } : {}),
  };
  return { action, ...toExpected({ ...rest, ...reasons }) };
}

function toExpected(from: Omit<Planned, 'action'> | Expected): Omit<Planned, 'action'> {
  const { destination, held, losesMetadata, path, reason, removal, source } = from;
  return {
    ...(path === undefined ? {} : { path }),
    ...(source === undefined ? {} : { source: toVersion(source) }),
    ...(destination === undefined ? {} : { destination: toVersion(destination) }),
    ...(removal === undefined ? {} : { removal }),
    ...(held === undefined ? {} : { held }),
    ...(losesMetadata === undefined ? {} : { losesMetadata }),
    ...(reason === undefined ? {} : { reason }),
  };
}
