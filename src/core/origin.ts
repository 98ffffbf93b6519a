import type { DestinationRecord, Outcome, PriorRecord, RecordedVersion, State } from './outcome.ts';
import { recordedBase } from './sync/base.ts';

/*
 * What was at a destination before the migration wrote there. A row tells it of the version that it names, and keeps it
 * while that version is the one that the migration wrote, also through runs that fail or show a conflict.
 */

type Origin = Pick<DestinationRecord, 'created' | 'originalVersion'>;

/** Rows of these states name the version that was written or proven; others may name one that was only read. */
const PROVEN: ReadonlySet<State> = new Set(['Copied', 'Removed', 'Verified']);

/** True if the version of its destination is that of the copy. */
export function isProven({ state }: Pick<Outcome, 'state'>): boolean {
  return PROVEN.has(state);
}

/** What a row tells of the time before the migration; undefined if it tells nothing. A dry run overwrote nothing. */
export function originIn(prior: Pick<Outcome, 'destination' | 'reason'> | undefined): Origin | undefined {
  const { created, originalVersion, priorVersion } = prior?.destination ?? {};
  if (created !== undefined) return { created };
  const original = originalVersion ?? (prior?.reason === 'WouldOverwrite' ? undefined : priorVersion);
  return original === undefined ? undefined : { originalVersion: original };
}

/** The version at the destination that the migration wrote or proved; undefined if the row does not tell it. */
export function provenVersion(prior: PriorRecord): RecordedVersion | undefined {
  const { destination } = prior;
  if (destination === undefined) return undefined;
  const base = isProven(prior) ? undefined : recordedBase(prior, destination.path, prior.source?.path);
  const { version, identity } = base?.destination ?? destination;
  return version === undefined ? undefined : { version, ...(identity === undefined ? {} : { identity }) };
}

/** The outcome with what its row must go on telling of the time before the migration. */
export function withOrigin(outcome: Outcome, prior: PriorRecord | undefined): Outcome {
  const { destination } = outcome;
  const origin = originIn(prior);
  if (destination === undefined || prior === undefined || origin === undefined) return outcome;
  if (isTold(destination, origin) || outcome.reason === 'Undone' || !isStillTrue(outcome, prior))
    return outcome;
  return { ...outcome, destination: { ...destination, ...origin } };
}

function isTold({ created, originalVersion, priorVersion }: DestinationRecord, origin: Origin): boolean {
  if (created !== undefined || originalVersion !== undefined) return true;
  return origin.originalVersion !== undefined && origin.originalVersion === priorVersion;
}

/** True for the same copy, for one that replaced it, and while nothing else is known. */
function isStillTrue(outcome: Outcome, prior: PriorRecord): boolean {
  const { destination } = outcome;
  if (destination === undefined || destination.path !== prior.destination?.path) return false;
  if (!isProven(outcome)) return true;
  const ours = provenVersion(prior);
  if (ours === undefined) return false;
  const isSame = ours.version === destination.version && ours.identity === destination.identity;
  // What was there before the migration is the version that it replaced.
  return isSame || (prior.destination.created !== false && hasReplaced(outcome, ours));
}

function hasReplaced({ copiedNow, destination, reason }: Outcome, ours: RecordedVersion): boolean {
  const hasFollowed = copiedNow === true && reason === 'FollowedSource';
  return hasFollowed || destination?.priorVersion === ours.version;
}
