import type { Version } from '../document.ts';
import type { Base } from '../outcome.ts';

/** One of the two documents that a migration keeps in step. */
export type Side = 'source' | 'destination';

export type BySide<Value> = Readonly<Record<Side, Value>>;

export function otherSide(side: Side): Side {
  return side === 'source' ? 'destination' : 'source';
}

/** Whether each side has the bytes of the base; false for a side that is not there. */
export type BaseBytes = BySide<boolean>;

/**
 * What a read of the exact address found. A listing is not a read: what it does not show can exist. `unread`: the read was
 * refused or failed, so nothing is known.
 */
export type Found =
  | { readonly state: 'unread' }
  | { readonly state: 'absent' }
  /** The current version was deleted, or expired: the name is taken. */
  | { readonly state: 'deleted'; readonly version: Version; readonly expired?: true }
  | FoundDocument;

export interface FoundDocument {
  readonly state: 'present';
  readonly version: Version;
  /** It is being deleted, or belongs to another object (and `sync.adopt` does not say otherwise): it is not changed. */
  readonly hold?: 'leaving' | 'owned';
  /** It carries the mark of Keyferry, which wrote it. */
  readonly isMarked: boolean;
  /** What a write replaces at this address stays readable. */
  readonly keepsHistory: boolean;
}

/** Both sides of one document, and what is known of the base. */
export interface Observed {
  /** Undefined: they were never proven equal, or nothing tells of it any more. */
  readonly base: Base | undefined;
  readonly sides: BySide<Found>;
  /** Both are there and have the same keys with the same bytes, after the mapping. */
  readonly areEqual: boolean;
  /** The side that Keyferry removed after the other one was deleted; absent once both are in step again. */
  readonly pruned?: Side;
  /** Absent: the bytes of the base were not read, or cannot be read any more. */
  readonly baseBytes?: BaseBytes;
}
