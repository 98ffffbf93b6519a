import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import type { EvidenceRow } from './evidence.ts';
import { outcomeOf, type Meaning } from './outcome.ts';

/** What stands in place of a version that a store does not have. */
const NO_VERSION = 'unversioned';

interface Versioned {
  readonly version?: string | undefined;
  readonly identity?: string | undefined;
}

/** One key as the report has it: the members that this version knows, and what became of its document. */
export function evidenceRow(row: KeyRow, meaning: Meaning): EvidenceRow {
  const { name, key, state, reason, message, destination, source, base, rule, backup } = row;
  const { lastTransitionTime } = row;
  return {
    name,
    key,
    state,
    outcome: outcomeOf(row, meaning),
    ...present({ reason, message }),
    ...(destination === undefined ? {} : { destination: destinationOf(destination) }),
    ...(source === undefined ? {} : { source: { ...present({ path: source.path }), ...versionOf(source) } }),
    ...(base === undefined ? {} : { base: baseOf(base) }),
    ...present({ rule, backup }),
    lastTransitionTime,
  };
}

function destinationOf(
  destination: NonNullable<KeyRow['destination']>,
): NonNullable<EvidenceRow['destination']> {
  const { path, key, priorVersion, created } = destination;
  return { path, ...present({ key }), ...versionOf(destination), ...present({ priorVersion, created }) };
}

function baseOf({ source, destination }: NonNullable<KeyRow['base']>): NonNullable<EvidenceRow['base']> {
  return {
    ...(source === undefined ? {} : { source: versionOf(source) }),
    ...(destination === undefined ? {} : { destination: versionOf(destination) }),
  };
}

/**
 * A version without an identity is of a store that has none, and was made up inside of one process (`isEphemeral`): it can
 * depend on values, so it does not enter a report.
 */
function versionOf({ version, identity }: Versioned): Versioned {
  if (identity === undefined) return version === undefined ? {} : { version: NO_VERSION };
  return present({ version, identity });
}

function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same members without those that are undefined
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
