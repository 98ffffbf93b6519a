import type { RowReason } from '#src/errors/reasons.ts';
import type { Address, Version } from './document.ts';

/** Where a document stands. The words are those of the API. */
export type State = 'Pending' | 'Copied' | 'Verified' | 'Removed' | 'Conflict' | 'Failed' | 'Skipped';

/** A version as a row records it, for a later run to tell whether a document is still what it was. */
export interface RecordedVersion {
  /** `Version.revision`. */
  readonly version?: string;
  /** `Version.identity`; absent where it means nothing after a restart. Never without a version. */
  readonly identity?: string;
}

/** The source side of a document, as it was when it was last read. */
export interface SourcePlace extends RecordedVersion {
  /** Only where it was read at its old address; otherwise the mapping gives the address. */
  readonly path?: Address;
}

/** Where a document goes or went; the version is the one that was written or found. */
export interface Place extends RecordedVersion {
  readonly path: Address;
  /** The version that was current before we overwrote it, or will be overwritten: what to go back to. */
  readonly priorVersion?: string;
}

/** What is known of one document after a step; every field of it shares the state. */
export interface Outcome {
  readonly name: string;
  /** Field names, sorted; empty for a document without fields or one that was never read. */
  readonly keys: readonly string[];
  readonly state: State;
  readonly reason?: RowReason;
  /** From the closed catalogue of messages: names and limits, never values. */
  readonly message?: string;
  readonly destination?: Place;
  readonly source?: SourcePlace;
  /** The rule of spec.mapping that gives it its name: `prefixes[0]`. */
  readonly rule?: string;
  /** Where the source is kept after it was moved away. */
  readonly backup?: Address;
  /** How a failure is retried: `soon` with back-off, `later` at an interval, `never` until the spec changes. */
  readonly retry?: 'soon' | 'later' | 'never';
}

/** The part of a version that rows record. */
export function recordedVersion({ revision, identity, isEphemeral }: Version): RecordedVersion {
  return isEphemeral === true ? { version: revision } : { version: revision, identity };
}

/** A verified pair: what removal needs to prove everything once more. */
export interface VerifiedPair {
  readonly name: string;
  readonly source: Address;
  readonly sourceVersion: Version;
  readonly destination: Address;
  readonly destinationVersion: Version;
}

/** What an earlier run recorded of a document, read back from status or report shards. */
export interface PriorRecord extends Omit<Outcome, 'retry'> {
  /** Milliseconds since the epoch at which the state was entered. */
  readonly since: number;
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

/** One for each field; a document without fields has one as well. */
export function rowsOf({ keys }: Outcome): number {
  return Math.max(1, keys.length);
}

/** Counted in rows. */
export function countOutcomes(outcomes: Iterable<Outcome>): Counts {
  const counts = { pending: 0, copied: 0, verified: 0, removed: 0, conflict: 0, failed: 0, skipped: 0 };
  let total = 0;
  for (const outcome of outcomes) {
    const rows = rowsOf(outcome);
    counts[COUNTER[outcome.state]] += rows;
    total += rows;
  }
  return { ...counts, total };
}

/** Rows that need nothing more: verified or removed, and what was left out on purpose. */
export function doneRows(counts: Counts): number {
  return counts.verified + counts.removed + counts.skipped;
}
