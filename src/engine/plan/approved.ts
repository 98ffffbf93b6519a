import { MAX_ROW_KEY } from '#src/api/v1alpha1/status-row.ts';
import { boundedText } from '#src/core/bounded-text.ts';
import {
  plansRemoval,
  recordedOutcome,
  type Outcome,
  type Planned,
  type PriorRecord,
  type RecordedVersion,
  type State,
} from '#src/core/outcome.ts';
import type { RemovalGate } from '../gates.ts';
import type { Decision, PlannedStep, TransferStep } from './plan.ts';
import { ACTIONS, plannedPath, plannedVersion } from './planned.ts';

/*
 * A plan that a person approved, as its rows have it. A run does what the plan says, or less: each decision is compared with
 * the row of its document, and one that differs does nothing.
 */

/** The row of a document that has a plan. */
export interface PlannedRow extends PriorRecord {
  readonly planned: Planned;
}

/** By the name of the document. */
export type PlannedRows = ReadonlyMap<string, PlannedRow>;

/** The rows that have a plan. */
export function plannedRowsOf(rows: Iterable<PriorRecord>): PlannedRows {
  const found = new Map<string, PlannedRow>();
  for (const row of rows)
    if (row.planned !== undefined) found.set(row.name, { ...row, planned: row.planned });
  return found;
}

/** The decision, if the approved plan has it; else one that does nothing and says why. */
export function asApproved(decision: Decision, approved: PlannedRows | undefined): Decision {
  const { document, step } = decision;
  if (approved === undefined || step === undefined) return decision;
  const row = approved.get(document.name);
  const why = step.kind === 'report' ? whyNotReported(step.outcome, row) : whyNot(step, row);
  if (why === undefined) return decision;
  const { destination, keys, name, source } = step.kind === 'report' ? step.outcome : step.row;
  const outcome: Outcome = {
    name,
    keys,
    ...(destination === undefined ? {} : { destination: { path: destination.path } }),
    ...(source === undefined ? {} : { source }),
    ...needsReplan(why),
  };
  return { document, step: { kind: 'report', outcome } };
}

/** Documents of the plan that the run did not come to, because they left the selection: their rows stay, with the plan. */
export function* leftBehind(
  approved: PlannedRows,
  isRecorded: (name: string) => boolean,
): Generator<Outcome> {
  for (const row of approved.values()) {
    if (isRecorded(row.name) || ['Verified', 'Removed', 'Skipped'].includes(row.state)) continue;
    yield {
      ...recordedOutcome(row),
      ...needsReplan('The selection does not contain the document any more.'),
    };
  }
}

/** Holds the removal of each source that the approved plan does not remove. */
export function approvedGate(approved: PlannedRows): RemovalGate {
  return ({ name }) => {
    const row = approved.get(name);
    if (row !== undefined && plansRemoval(row.planned)) return undefined;
    const { message, reason } = needsReplan('The source is kept: the approved plan does not remove it.');
    return { reason, message, retry: 'later' };
  };
}

/** True when an approved run brought the document to its end, as far as it could, and nothing changed since. */
export function isStillDone(step: PlannedStep, row: PlannedRow | undefined): row is PlannedRow {
  if (row === undefined || row.reason === 'NeedsReplan') return false;
  if (step.kind === 'report') return row.state === 'Removed' && step.outcome.state === 'Removed';
  if (row.state !== 'Verified' || whyNot(step, row) !== undefined) return false;
  return step.kind === 'adopt' && step.removal?.policy === row.planned.removal;
}

/** `why`: what differs from the plan, as a sentence. */
function needsReplan(why: string) {
  const message = `${why} Nothing is done until a new plan is approved.`;
  return { state: 'Pending', reason: 'NeedsReplan', message } as const;
}

/** What must be as it was, in this order; the first that returns a sentence decides. */
const CHECKS: readonly ((step: TransferStep, row: PlannedRow) => string | undefined)[] = [
  sourceChanged,
  pathChanged,
  losesMore,
  destinationChanged,
];

/** Why a step is not that of the plan; undefined if it is. */
function whyNot(step: TransferStep, row: PlannedRow | undefined): string | undefined {
  if (row === undefined) return 'The approved plan does not have this document.';
  if (row.planned.action === 'Keep') return 'The approved plan does nothing with this document.';
  if (isCopyOf(step, row)) return undefined;
  for (const check of CHECKS) {
    const why = check(step, row);
    if (why !== undefined) return why;
  }
  return undefined;
}

const SOURCE_CHANGED = 'The source changed since the plan was made.';
const DESTINATION_CHANGED = 'The destination changed since the plan was made.';

function sourceChanged({ row: { keys }, source }: TransferStep, row: PlannedRow): string | undefined {
  const isUnchanged = isSame(row.planned.source, plannedVersion(source.version)) && hasKeys(row, keys);
  return isUnchanged ? undefined : SOURCE_CHANGED;
}

function pathChanged({ destination }: TransferStep, { planned }: PlannedRow): string | undefined {
  const isUnchanged = planned.path === plannedPath(destination.address);
  return isUnchanged ? undefined : 'Its path changed since the plan was made.';
}

function losesMore({ row }: TransferStep, { planned }: PlannedRow): string | undefined {
  const losesMetadata = row.reason === 'MetadataLost' && planned.losesMetadata !== true;
  return losesMetadata ? 'It would lose metadata that the approved plan does not name.' : undefined;
}

/**
 * An equal document at the destination can be adopted where the plan writes: that writes nothing, and a run that was cut off after
 * its write finds its own copy.
 */
function destinationChanged(
  { destination, kind }: TransferStep,
  { planned }: PlannedRow,
): string | undefined {
  if (kind === 'adopt' && planned.action !== 'Adopt') return undefined;
  const { version } = destination;
  const found = version === undefined ? undefined : plannedVersion(version);
  const isPlanned = planned.action === ACTIONS[kind] && isSame(planned.destination, found);
  return isPlanned ? undefined : DESTINATION_CHANGED;
}

/** States of what is reported that say something of the document itself. */
const SAYS_WHY: ReadonlySet<State> = new Set(['Conflict', 'Failed', 'Skipped']);

/**
 * Why what is said of a document is news for the plan; undefined for what the plan has, and for a failure that passes. A source
 * without a version was not read.
 */
function whyNotReported(outcome: Outcome, row: PlannedRow | undefined): string | undefined {
  if (row === undefined || row.planned.action === 'Keep') return undefined;
  const { retry, source, state } = outcome;
  const isFailed = state === 'Failed';
  if (!SAYS_WHY.has(state) || source?.version === undefined || (isFailed && retry === 'soon'))
    return undefined;
  if (!isSame(row.planned.source, source)) return SOURCE_CHANGED;
  return isFailed ? undefined : DESTINATION_CHANGED;
}

/**
 * True for the very copy that an approved run proved. Then the version of the source can be another one: the claim of a removal
 * changes it, and a removal needs equal bytes in any case. Not without an identity, where a version says little.
 */
function isCopyOf(
  { destination: { address, version }, kind, source }: TransferStep,
  row: PlannedRow,
): boolean {
  if (kind !== 'adopt' || version === undefined || row.state !== 'Verified') return false;
  const found = plannedVersion(version);
  const isSameCopy = found.identity !== undefined && isSame(found, row.destination);
  const isSameSource = row.planned.source?.identity === plannedVersion(source.version).identity;
  return isSameCopy && isSameSource && row.destination?.path === address;
}

function isSame(left: RecordedVersion | undefined, right: RecordedVersion | undefined): boolean {
  return left?.version === right?.version && left?.identity === right?.identity;
}

function hasKeys({ keys }: PlannedRow, found: readonly string[]): boolean {
  const recorded = found.map((key) => boundedText(key, MAX_ROW_KEY));
  return keys.length === recorded.length && keys.every((key, index) => key === recorded[index]);
}
