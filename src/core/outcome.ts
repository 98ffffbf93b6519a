import type { RowReason } from '#src/errors/reasons.ts';
import type { Address, Ties, Version } from './document.ts';

/** The state of a document. The values are those of the API. */
export type State = 'Pending' | 'Copied' | 'Verified' | 'Removed' | 'Conflict' | 'Failed' | 'Skipped';

/** A version as a row records it, so that a later run can tell whether a document changed. */
export interface RecordedVersion {
  /** `Version.revision`. */
  readonly version?: string;
  /** `Version.identity`; absent where it is not valid after a restart. Never without a version. */
  readonly identity?: string;
}

/**
 * The versions in which both sides were last proven equal. A side without one has no version that outlives a process.
 */
export type Base = Readonly<Partial<Record<'source' | 'destination', RecordedVersion>>>;

/** What a plan would do with a document. `Keep`: nothing. The values are those of the API. */
export type PlannedAction = 'Create' | 'Adopt' | 'Overwrite' | 'Keep';

/**
 * What a plan would do with a document, and on which versions that rests: names, versions and reasons, as rows can hold them.
 * A version that only one process knows is recorded without an identity, as everywhere in rows.
 */
export interface Planned {
  readonly action: PlannedAction;
  /** Where it would be; absent where that is unknown. */
  readonly path?: Address;
  /** The version that would be copied. */
  readonly source?: RecordedVersion;
  /** The version that would be adopted or overwritten. */
  readonly destination?: RecordedVersion;
  /** What would happen to the source after proof; absent: it stays. */
  readonly removal?: 'Delete' | 'Backup' | 'Project';
  /** Why a gate would hold that removal; absent if none does. */
  readonly held?: RowReason;
  /** The copy would lack labels, annotations or types of JSON values that go with the source. */
  readonly losesMetadata?: true;
  /** Why nothing would be done. */
  readonly reason?: RowReason;
}

/** True when the plan removes the source, once its copy is proven. */
export function plansRemoval({ held, removal }: Planned): boolean {
  return held === undefined && (removal === 'Delete' || removal === 'Backup');
}

/** The source of a document as it was last read. */
export interface SourceRecord extends RecordedVersion {
  /** Present only if it was read at its old address; otherwise the mapping gives the address. */
  readonly path?: Address;
}

/** The destination of a document; the version is the one that was written or found. */
export interface DestinationRecord extends RecordedVersion {
  readonly path: Address;
  /** The version that was overwritten or will be overwritten: the one to roll back to. */
  readonly priorVersion?: string;
  /** True: this migration wrote it where nothing was. False: it was there and equal. Absent: overwritten, or not known. */
  readonly created?: boolean;
  /** The version before the first overwrite by this migration, if that is not `priorVersion`. */
  readonly originalVersion?: string;
}

/** What is known of one document after a step; all of its keys share the state. */
export interface Outcome {
  readonly name: string;
  /** Sorted; empty for a document without keys or one that was never read. */
  readonly keys: readonly string[];
  /** The names that `mapping.keys` gives the keys, in the same order; absent if all keep theirs. */
  readonly newKeys?: readonly string[];
  readonly state: State;
  readonly reason?: RowReason;
  /** From the closed catalog of messages: names and limits, never values. */
  readonly message?: string;
  readonly destination?: DestinationRecord;
  readonly source?: SourceRecord;
  /**
   * The versions in which both sides were last proven equal, of a document that is kept in step and is not Verified: a
   * Verified one has them in `source` and `destination`.
   */
  readonly base?: Base;
  /** What the plan says that a person approves or has approved; absent where nothing waits for approval. */
  readonly planned?: Planned;
  /** The rule of spec.mapping that applies to its name: `prefixes[0]`. */
  readonly rule?: string;
  /** The address of the backup of a removed source. */
  readonly backup?: Address;
  /** How a failure is retried: `soon` with back-off, `later` at an interval, `never` until the spec changes. */
  readonly retry?: 'soon' | 'later' | 'never';
  /** This run wrote the copy: its time as a proven copy starts now, whatever earlier runs recorded. Not in a row. */
  readonly copiedNow?: true;
}

/** True when both name the same version of the same incarnation at the same path; also when neither has a version. */
export function sameCopy(left: DestinationRecord | undefined, right: DestinationRecord | undefined): boolean {
  return left?.path === right?.path && left?.version === right?.version && left?.identity === right?.identity;
}

/** The part of a version that rows record. */
export function recordedVersion({ revision, identity, isEphemeral }: Version): RecordedVersion {
  return isEphemeral === true ? { version: revision } : { version: revision, identity };
}

/** A verified pair: what a removal needs to prove the document again. */
export interface VerifiedPair {
  readonly name: string;
  readonly source: Address;
  readonly sourceVersion: Version;
  /** The source is being deleted already. */
  readonly sourceIsLeaving?: true;
  /** What else depends on the source. */
  readonly ties: Ties;
  readonly destination: Address;
  readonly destinationVersion: Version;
}

/** What an earlier run recorded of a document, read back from status or report shards. */
export interface PriorRecord extends Omit<Outcome, 'retry' | 'copiedNow'> {
  /** Milliseconds since the epoch at which the document entered the state. */
  readonly since: number;
}

/** What the record says, as the outcome of a run that finds nothing else. */
export function recordedOutcome({ since: _since, ...outcome }: PriorRecord): Outcome {
  return outcome;
}

export type Counts = Readonly<Record<Lowercase<State>, number>> & { readonly total: number };

const COUNTER = {
  Pending: 'pending',
  Copied: 'copied',
  Verified: 'verified',
  Removed: 'removed',
  Conflict: 'conflict',
  Failed: 'failed',
  Skipped: 'skipped',
} as const satisfies Record<State, keyof Counts>;

/** What is counted of keys. */
export const COUNTED: readonly (keyof Counts)[] = [...Object.values(COUNTER), 'total'];

/** How many keys a document counts for: one without keys counts as one. */
export function keyCountOf({ keys }: Pick<Outcome, 'keys'>): number {
  return Math.max(1, keys.length);
}

/** A running count of keys by state. */
export class KeyCounter {
  readonly #counts = { pending: 0, copied: 0, verified: 0, removed: 0, conflict: 0, failed: 0, skipped: 0 };
  #total = 0;

  /** Counts the keys of a document so many times; -1 takes them back. */
  count(outcome: Pick<Outcome, 'keys' | 'state'>, times = 1): void {
    const keys = times * keyCountOf(outcome);
    this.#counts[COUNTER[outcome.state]] += keys;
    this.#total += keys;
  }

  get counts(): Counts {
    return { ...this.#counts, total: this.#total };
  }
}

/** Counts keys by state. */
export function countOutcomes(outcomes: Iterable<Pick<Outcome, 'keys' | 'state'>>): Counts {
  const counter = new KeyCounter();
  for (const outcome of outcomes) counter.count(outcome);
  return counter.counts;
}

/** The number of keys that need no more work: verified, removed, or skipped deliberately. */
export function doneKeys(counts: Counts): number {
  return counts.verified + counts.removed + counts.skipped;
}
