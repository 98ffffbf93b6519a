import { isRowReason } from '#src/api/v1alpha1/conditions.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
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

/**
 * Rows of one document: one per key, or a single row with an empty key. Their members are in the order of the schema,
 * because stored rows are compared as JSON.
 */
export function toRows({ outcome, since, unknown }: TableEntry): StatusRow[] {
  const keys = outcome.keys.length === 0 ? [''] : outcome.keys;
  const rows = keys.map((key): StatusRow => ({
    name: outcome.name,
    key,
    state: outcome.state,
    ...(outcome.reason === undefined ? {} : { reason: outcome.reason }),
    ...(outcome.message === undefined ? {} : { message: outcome.message }),
    ...(outcome.destination === undefined ? {} : { destination: toDestination(outcome.destination) }),
    ...(outcome.source === undefined ? {} : { source: toSource(outcome.source) }),
    ...(outcome.base === undefined ? {} : { base: toBase(outcome.base) }),
    ...(outcome.planned === undefined ? {} : fromPlanned(outcome.planned)),
    ...(outcome.rule === undefined ? {} : { rule: outcome.rule }),
    ...(outcome.backup === undefined ? {} : { backup: outcome.backup }),
    lastTransitionTime: since,
  }));
  return unknown === undefined ? rows : rows.map((row) => withUnknown(row, unknown.get(row.key)));
}

/** The documents of recorded rows, by name: the inverse of `toRows`, without `retry`. */
export function toPriorRecords(rows: Iterable<StatusRow>): ReadonlyMap<string, PriorRecord> {
  const records = new Map<string, PriorRecord & { keys: string[] }>();
  for (const row of rows) {
    const known = records.get(row.name);
    if (known === undefined) records.set(row.name, toPriorRecord(row));
    else known.keys.push(row.key);
  }
  return records;
}

function toPriorRecord(row: StatusRow): PriorRecord & { keys: string[] } {
  return {
    name: row.name,
    keys: row.key === '' ? [] : [row.key],
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
