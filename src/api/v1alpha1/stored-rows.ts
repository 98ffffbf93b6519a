import { z } from 'zod';
import { TimeSchema } from '#src/schema/meta.ts';
import { isRowReason, PLANNED_ACTIONS, ROW_STATES } from './conditions.ts';
import type { StatusRow } from './status-row.ts';

/*
 * Rows that another version of Keyferry may have written. Limits are not checked: a newer version may have larger ones. What
 * cannot be read is absent, and what is not known stays in the row, so that it is written back.
 */

const word = () => z.string().optional().catch(undefined);
const names = () => z.array(z.string());
const version = { version: word(), identity: word() };

/** In the order of StatusRowSchema: stored rows are compared as JSON. */
const StoredRowSchema = z.looseObject({
  name: z.string(),
  keys: names().catch([]),
  state: z.string().catch(''),
  reason: word(),
  message: word(),
  destination: z
    .looseObject({
      path: z.string(),
      keys: names().optional().catch(undefined),
      ...version,
      priorVersion: word(),
      created: z.boolean().optional().catch(undefined),
      originalVersion: word(),
    })
    .optional()
    .catch(undefined),
  source: z
    .looseObject({ path: word(), ...version })
    .optional()
    .catch(undefined),
  base: z
    .looseObject({
      source: z.looseObject(version).optional().catch(undefined),
      destination: z.looseObject(version).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  planned: z.enum(PLANNED_ACTIONS).optional().catch(undefined),
  expected: z
    .looseObject({
      path: word(),
      source: z.looseObject(version).optional().catch(undefined),
      destination: z.looseObject(version).optional().catch(undefined),
      removal: z.enum(['Delete', 'Backup', 'Project']).optional().catch(undefined),
      held: word(),
      losesMetadata: z.literal(true).optional().catch(undefined),
      reason: word(),
    })
    .optional()
    .catch(undefined),
  rule: word(),
  backup: word(),
  lastTransitionTime: TimeSchema.optional().catch(undefined),
  key: word(),
});

/** Since when a row is as it is, if it does not say so: nothing waits for the time of a failed row. */
const NO_TIME = '1970-01-01T00:00:00Z';

/**
 * Reads rows of a status or report. A row with a state that this version does not know is Failed with the reason
 * UnknownState: nobody can tell whether the copy was proven. Undefined if a row does not even have a name.
 */
export function readRows(input: readonly unknown[]): StatusRow[] | undefined {
  const rows = input.map(readRow).filter((row) => row !== undefined);
  return rows.length === input.length ? rows : undefined;
}

function readRow(input: unknown): StatusRow | undefined {
  const parsed = StoredRowSchema.safeParse(input);
  if (!parsed.success) return undefined;
  const { key, ...stored } = parsed.data;
  const row = withKeys(stored, key);
  const { state, lastTransitionTime } = row;
  if (isRowState(state) && lastTransitionTime !== undefined)
    return withoutUndefined({ ...row, state, lastTransitionTime });
  // A reason and a message of the other version would be about its own state.
  const { name, keys, state: _state, reason: _reason, message: _message, ...rest } = row;
  const failed = { state: 'Failed', reason: 'UnknownState', message: unknownState(state) } as const;
  return withoutUndefined({
    name,
    keys,
    ...failed,
    ...rest,
    lastTransitionTime: lastTransitionTime ?? NO_TIME,
  });
}

/** An earlier version wrote a row for each key: the first run makes one row of them. New names without their keys say nothing. */
function withKeys<Row extends Pick<z.infer<typeof StoredRowSchema>, 'keys' | 'destination'>>(
  row: Row,
  key = '',
): Row {
  const keys = row.keys.length === 0 && key !== '' ? [key] : row.keys;
  const { destination } = row;
  if (destination?.keys === undefined || destination.keys.length === keys.length) return { ...row, keys };
  const { keys: _newKeys, ...place } = destination;
  return { ...row, keys, destination: place };
}

function unknownState(state: string): string {
  const named = /^[A-Z][A-Za-z0-9]{0,63}$/.test(state) ? `the state ${state}` : 'a state';
  return `Another version of the operator recorded ${named}, which this version does not know.`;
}

function isRowState(word: string): word is StatusRow['state'] {
  return ROW_STATES.some((state) => state === word);
}

function withoutUndefined(row: StatusRow): StatusRow {
  const { base, expected } = row;
  const pairs = [base, expected].flatMap((each) => [each, each?.source, each?.destination]);
  for (const part of [row, row.destination, row.source, ...pairs]) {
    for (const [name, value] of Object.entries(part ?? {}))
      if (part !== undefined && value === undefined) Reflect.deleteProperty(part, name);
  }
  return row;
}

/** What a row has that this version does not know, and where. */
export interface UnknownMembers {
  readonly row: Readonly<Record<string, unknown>>;
  readonly destination: Readonly<Record<string, unknown>>;
  readonly source: Readonly<Record<string, unknown>>;
  /** A reason that is not in the list of this version, with its message. */
  readonly reason?: { readonly reason: string; readonly message?: string };
}

const KNOWN = {
  row: new Set(Object.keys(StoredRowSchema.shape)),
  destination: new Set(['path', 'keys', 'version', 'identity', 'priorVersion', 'created', 'originalVersion']),
  source: new Set(['path', 'version', 'identity']),
};

/** What this version would drop of a row; undefined if it knows everything. */
export function unknownMembersOf(row: StatusRow): UnknownMembers | undefined {
  const members = {
    row: unknownOf(row, KNOWN.row),
    destination: unknownOf(row.destination, KNOWN.destination),
    source: unknownOf(row.source, KNOWN.source),
  };
  const { reason, message } = row;
  const foreign =
    reason === undefined || isRowReason(reason)
      ? undefined
      : { reason, ...(message === undefined ? {} : { message }) };
  const isKnown = Object.values(members).every((part) => Object.keys(part).length === 0);
  if (foreign !== undefined) return { ...members, reason: foreign };
  return isKnown ? undefined : members;
}

function unknownOf(part: object | undefined, known: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(part ?? {}).filter(([name]) => !known.has(name)));
}
