import type { Expectation, Version } from '../document.ts';
import { hasBaseBytesAlready, isRecorded, isStill, sinceBase } from './base.ts';
import {
  otherSide,
  type BySide,
  type Found,
  type FoundDocument,
  type Observed,
  type Side,
} from './observed.ts';
import { afterEndOf, BASE_UNKNOWN, BOTH_CHANGED, SAID, type Said } from './said.ts';

/*
 * The decision for one document that is kept in step (ADR 0055 has the whole table). Both sides are compared with the base,
 * the versions in which they were last proven equal. Pure: same arguments, same step.
 */

/** The policies that apply to one document. The values are those of the API. */
export interface SyncPolicy {
  /** Whose change is followed: the other side is written. `Either`: that of the side that changed. */
  readonly authority: 'Source' | 'Destination' | 'Either';
  /**
   * What becomes of a change at the side that follows: a conflict, kept, or undone. With `Either` no side follows, and
   * every policy is `Fail`.
   */
  readonly conflictPolicy: 'Fail' | 'KeepDestination' | 'Overwrite';
  /** The side that follows is removed after the one that leads was deleted. */
  readonly prune: boolean;
  /**
   * False: a document that was there and is gone is not written again, at whichever side. Default: one that follows and is
   * absent is written again, and `conflictPolicy` decides about one whose deletion the store records.
   */
  readonly revives?: boolean;
}

type Gone = Exclude<Found, { state: 'present' | 'unread' }>;

/** What to do for one document. */
export type SyncStep =
  | { readonly kind: 'nothing' }
  /** Both are equal in other versions than those of the base: these become the base, and nothing is written. */
  | { readonly kind: 'moveBase'; readonly base: BySide<Version> }
  /** The other side leads. What is overwritten has the bytes of the base, or is absent. */
  | ({ readonly kind: 'write' } & Write<Expectation>)
  /** Undoes a change at the side that follows. */
  | ({
      readonly kind: 'restore';
      /** The store keeps no history: what is there must first be stored as a backup, and read back. */
      readonly keepFirst: boolean;
    } & Write<Version>)
  /** Removes the document that follows one that was deleted. */
  | ({
      readonly kind: 'remove';
      readonly from: Side;
      readonly expect: Version;
      /** The side that leads, which must still be so. */
      readonly whileOther: 'absent' | Version;
    } & Said)
  /** Both sides stay as they are. A conflict waits for a user; what the spec keeps does not. */
  | ({ readonly kind: 'conflict' | 'keep' } & Said);

/** A step that gives one side the value of the other one. */
export type WriteStep = Extract<SyncStep, { kind: 'write' | 'restore' }>;

/** A step that removes one side. */
export type RemoveStep = Extract<SyncStep, { kind: 'remove' }>;

/** A step that undoes a change. */
export type RestoreStep = Extract<SyncStep, { kind: 'restore' }>;

interface Write<Expected extends Expectation> extends Said {
  readonly to: Side;
  /** What must still be there. */
  readonly expect: Expected;
  /** The version of the other side that is copied. */
  readonly copies: Version;
}

const NOTHING = { kind: 'nothing' } as const satisfies SyncStep;

/** Chooses the step. */
export function decideSync(policy: SyncPolicy, observed: Observed): SyncStep {
  const { destination, source } = observed.sides;
  if (source.state === 'unread' || destination.state === 'unread') return NOTHING;
  if (source.state === 'present') {
    return destination.state === 'present'
      ? decideBoth(policy, observed, { source, destination })
      : decideOne(policy, observed, { side: 'source', found: source, gone: destination });
  }
  if (destination.state !== 'present') return NOTHING;
  return decideOne(policy, observed, { side: 'destination', found: destination, gone: source });
}

/**
 * True when the step depends on the bytes of the base and they must be read from the history of a store. Never if one side
 * is still in the version of the base: its bytes are those of the base.
 */
export function needsBaseBytes(policy: SyncPolicy, observed: Observed): boolean {
  const { areEqual, base, baseBytes, sides } = observed;
  if (base === undefined || baseBytes !== undefined || hasBaseBytesAlready(observed)) return false;
  const { destination, source } = sides;
  if (source.state === 'unread' || destination.state === 'unread') return false;
  if (source.state === 'present' && destination.state === 'present') return !areEqual;
  const there = source.state === 'present' ? 'source' : 'destination';
  return sides[there].state === 'present' && !revivesFrom(policy, there);
}

function leaderOf({ authority }: SyncPolicy): Side | undefined {
  if (authority === 'Either') return undefined;
  return authority === 'Source' ? 'source' : 'destination';
}

/** True if this side is written to the other one also after that one was deleted. */
function revivesFrom(policy: SyncPolicy, side: Side): boolean {
  return policy.revives !== false && leaderOf(policy) === side;
}

function decideBoth(policy: SyncPolicy, observed: Observed, found: BySide<FoundDocument>): SyncStep {
  if (observed.areEqual) {
    const base = { source: found.source.version, destination: found.destination.version };
    return isStill(observed) ? NOTHING : { kind: 'moveBase', base };
  }
  // Neither changed, so the mapping did: what is replaced was made of the value that the side that leads still has.
  const leading = leaderOf(policy);
  if (leading !== undefined && isStill(observed)) return followed(found, otherSide(leading));
  return decideChanged(policy, observed, found);
}

/** The sides differ, and at least one of them is not in the version of the base, or none leads. */
function decideChanged(policy: SyncPolicy, observed: Observed, found: BySide<FoundDocument>): SyncStep {
  const source = sinceBase(observed, 'source');
  const destination = sinceBase(observed, 'destination');
  if (source === 'unknown' || destination === 'unknown') return { kind: 'conflict', ...BASE_UNKNOWN };
  if (source === 'changed' && destination === 'changed') return bothChanged(policy, found);
  const changed = source === 'changed' ? 'source' : 'destination';
  const leader = leaderOf(policy) ?? changed;
  return leader === changed ? followed(found, otherSide(changed)) : drifted(policy, found, changed);
}

function bothChanged(policy: SyncPolicy, found: BySide<FoundDocument>): SyncStep {
  const leader = leaderOf(policy);
  if (leader === undefined || policy.conflictPolicy !== 'Overwrite')
    return { kind: 'conflict', ...BOTH_CHANGED };
  return restored(found, otherSide(leader));
}

function followed(found: BySide<FoundDocument>, to: Side): SyncStep {
  const copies = found[otherSide(to)].version;
  return heldAt(found, to) ?? { kind: 'write', to, expect: found[to].version, copies, ...SAID[to].followed };
}

/** A change at the side that follows. */
function drifted({ conflictPolicy }: SyncPolicy, found: BySide<FoundDocument>, at: Side): SyncStep {
  if (conflictPolicy === 'Fail') return { kind: 'conflict', ...SAID[at].edited };
  if (conflictPolicy === 'KeepDestination') return { kind: 'keep', ...SAID[at].editKept };
  return restored(found, at);
}

function restored(found: BySide<FoundDocument>, to: Side): SyncStep {
  const { keepsHistory, version: expect } = found[to];
  const copies = found[otherSide(to)].version;
  const keepFirst = !keepsHistory;
  return heldAt(found, to) ?? { kind: 'restore', to, expect, copies, keepFirst, ...SAID[to].restored };
}

/** Why a document is not written, whatever the policy. */
function heldAt(found: BySide<FoundDocument>, side: Side): SyncStep | undefined {
  const { hold } = found[side];
  return hold === undefined ? undefined : { kind: 'conflict', ...SAID[side][hold] };
}

/** A document that is there at one side only. */
interface Single {
  readonly side: Side;
  readonly found: FoundDocument;
  /** What the other side has instead. */
  readonly gone: Gone;
}

function decideOne(policy: SyncPolicy, observed: Observed, single: Single): SyncStep {
  return afterReturn(observed, single) ?? decideSingle(policy, observed, single);
}

function decideSingle(policy: SyncPolicy, observed: Observed, single: Single): SyncStep {
  const leader = leaderOf(policy);
  const leads = leader === single.side;
  const isNew = observed.base === undefined;
  if (!isNew && !revivesFrom(policy, single.side)) return afterDeletion(policy, observed, single);
  // The first copy of a document whose leader is not there is the task of the first pass, not of a sync.
  if (!leads && leader !== undefined) return NOTHING;
  const { found, gone, side } = single;
  const to = otherSide(side);
  if (gone.state === 'absent')
    return { kind: 'write', to, expect: 'absent', copies: found.version, ...SAID[to].followed };
  if (leader === undefined || policy.conflictPolicy === 'Fail')
    return { kind: 'conflict', ...SAID[to].deleted };
  if (policy.conflictPolicy === 'KeepDestination') return { kind: 'keep', ...SAID[to].deletionKept };
  if (isNew) return { kind: 'conflict', ...SAID[to].deleted };
  const write = { to, expect: gone.version, copies: found.version };
  return { kind: 'restore', keepFirst: false, ...write, ...SAID[to].restored };
}

/** One side is there again after both were gone: the one that was removed was meant to stay, and the other one is new. */
function afterReturn({ base, pruned }: Observed, { found, gone, side }: Single): SyncStep | undefined {
  if (pruned === undefined) return undefined;
  if (side === pruned) return { kind: 'keep', ...SAID[side].returned };
  const write = { kind: 'write', to: pruned, copies: found.version, ...SAID[pruned].followed } as const;
  if (gone.state === 'absent') return { ...write, expect: 'absent' };
  // A version that another writer stored and deleted after ours was is drift.
  return isRecorded(base?.[pruned], gone.version) ? { ...write, expect: gone.version } : undefined;
}

/**
 * The side that leads, or with `Either` or without `revives` any side, had the document and has it no longer. The other one
 * has it still.
 */
function afterDeletion(policy: SyncPolicy, observed: Observed, single: Single): SyncStep {
  const { found, gone, side } = single;
  const since = sinceBase(observed, side);
  const ended = otherSide(side);
  if (since === 'changed') return { kind: 'conflict', ...afterEndOf(ended, 'edited') };
  if (gone.state === 'deleted' && gone.expired === true)
    return { kind: 'keep', ...afterEndOf(ended, 'expired') };
  if (leaderOf(policy) === side) return { kind: 'keep', ...afterEndOf(ended, 'final') };
  if (!policy.prune) return { kind: 'keep', ...afterEndOf(ended, 'kept') };
  if (since === 'unknown') return { kind: 'keep', ...afterEndOf(ended, 'unknown') };
  if (!found.isMarked) return { kind: 'keep', ...afterEndOf(ended, 'unmarked') };
  if (found.hold !== undefined) return { kind: 'keep', ...afterEndOf(ended, found.hold) };
  const whileOther = gone.state === 'absent' ? 'absent' : gone.version;
  return { kind: 'remove', from: side, expect: found.version, whileOther, ...SAID[side].pruned };
}
