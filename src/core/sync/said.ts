import type { SyncReason } from '#src/errors/reasons.ts';
import { otherSide, type BySide, type Side } from './observed.ts';
import type { PruneCount } from './pruning.ts';

/** Why a step is chosen, for a row: one word and one sentence or two. */
export interface Said {
  readonly reason: SyncReason;
  readonly message: string;
}

/** How a conflict ends, for its message. */
export const CHOOSE = 'choose the winner with the annotation keyferry.io/resolve';
const DECIDE = `Nothing is written. Make them equal, or ${CHOOSE}`;

export const BOTH_CHANGED: Said = {
  reason: 'BothChanged',
  message: `Source and destination changed to different values since they were last equal. ${DECIDE}.`,
};

export const BASE_UNKNOWN: Said = {
  reason: 'BaseUnknown',
  message: `Source and destination differ, and it is not known which of them changed. ${DECIDE}.`,
};

/** Both sides are gone, and the row stays: a name that comes back does not bring back the other one. */
export const BOTH_GONE: Said = {
  reason: 'SourceGone',
  message:
    'Both names ended. The row stays until following ends, so that nothing is written again that was deleted.',
};

/** Both sides differ, and following ended at this time: milliseconds since the epoch. */
export function followingEnded(untilMs: number): Said {
  const at = new Date(untilMs).toISOString();
  return {
    reason: 'SyncEnded',
    message: `Source and destination differ, and spec.sync.untilTime was ${at}. Nothing is written. Make them equal, or set a later time.`,
  };
}

/** What is said of a step that is about one side. */
interface SaidOfSide {
  /** It is written with the value of the other side. */
  readonly followed: Said;
  /** It was changed, and follows the other side. */
  readonly edited: Said;
  readonly editKept: Said;
  /** Its current version was deleted, and it follows the other side. */
  readonly deleted: Said;
  readonly deletionKept: Said;
  readonly restored: Said;
  readonly pruned: Said;
  readonly returned: Said;
  readonly leaving: Said;
  readonly owned: Said;
}

export const SAID: BySide<SaidOfSide> = {
  source: {
    followed: { reason: 'FollowedDestination', message: follows('source') },
    edited: { reason: 'SourceEdited', message: edited('source') },
    editKept: { reason: 'SourceEdited', message: kept('source', 'changed') },
    deleted: { reason: 'SourceDeleted', message: deleted('source') },
    deletionKept: { reason: 'SourceDeleted', message: kept('source', 'deleted') },
    restored: { reason: 'RestoredSource', message: restores('source') },
    pruned: { reason: 'PrunedSource', message: prunes('source') },
    returned: { reason: 'SourceReturned', message: returns('source') },
    leaving: { reason: 'SourceLeaving', message: isLeaving('source') },
    owned: { reason: 'SourceOwned', message: isOwned('source') },
  },
  destination: {
    followed: { reason: 'FollowedSource', message: follows('destination') },
    edited: { reason: 'DestinationEdited', message: edited('destination') },
    editKept: { reason: 'DestinationEdited', message: kept('destination', 'changed') },
    deleted: { reason: 'DestinationDeleted', message: deleted('destination') },
    deletionKept: { reason: 'DestinationDeleted', message: kept('destination', 'deleted') },
    restored: { reason: 'RestoredDestination', message: restores('destination') },
    pruned: { reason: 'PrunedDestination', message: prunes('destination') },
    returned: { reason: 'DestinationReturned', message: returns('destination') },
    leaving: { reason: 'DestinationLeaving', message: isLeaving('destination') },
    owned: { reason: 'DestinationOwned', message: isOwned('destination') },
  },
};

function follows(side: Side): string {
  return `The ${side} takes the value of the ${otherSide(side)}.`;
}

function edited(side: Side): string {
  return `Another writer changed the ${side}, which follows the ${otherSide(side)}. ${DECIDE}, or set spec.conflictPolicy.`;
}

function kept(side: Side, change: 'changed' | 'deleted'): string {
  return `Another writer ${change} the ${side}. That is kept, as spec.conflictPolicy requires; the ${otherSide(side)} is kept too.`;
}

function deleted(side: Side): string {
  return `The current version at the ${side} is deleted or expired. Nothing is written. Undelete it, remove its metadata, or ${CHOOSE}.`;
}

function restores(side: Side): string {
  return `Another writer changed the ${side}. It gets the value of the ${otherSide(side)} again, as spec.conflictPolicy requires.`;
}

function prunes(side: Side): string {
  return `The ${otherSide(side)} was deleted, so the ${side}, which has the value that Keyferry wrote, is removed as spec.sync.prune requires.`;
}

function returns(side: Side): string {
  return `The ${side} was removed because the ${otherSide(side)} was deleted, and another writer brought it back. It is kept. Restore the ${otherSide(side)}, or remove the ${side} by hand.`;
}

/** Why none of the documents is removed that would be. */
export function limited(side: Side, { awaiting, documents, limit, removed }: PruneCount): Said {
  const before = removed === 0 ? '' : ` after ${removed} in the last hour`;
  return {
    reason: 'PruneLimited',
    message: `The ${otherSide(side)} was deleted. The ${side} is kept: ${awaiting} of ${documents} documents would be removed${before}, and spec.sync.maxPrunePercent allows ${limit}. Raise it, remove the ${side} by hand, or restore the ${otherSide(side)}.`,
  };
}

/** A removal that the server accepted and a finalizer holds. */
export function leavingAfterPrune(side: Side): Said {
  const { reason } = SAID[side].pruned;
  const message = `The ${side} is deleted because the ${otherSide(side)} was, but a finalizer still holds it. Wait for its owner, or remove the finalizer.`;
  return { reason, message };
}

/** Why a removal that was decided is not carried out. */
export function changedMeanwhile(side: Side): {
  readonly reason: 'SourceChanged' | 'DestinationChanged';
  readonly message: string;
} {
  return {
    reason: side === 'source' ? 'SourceChanged' : 'DestinationChanged',
    message: `The ${side} changed meanwhile; nothing was removed. No action needed; both are compared again.`,
  };
}

function isLeaving(side: Side): string {
  return `The document at the ${side} is being deleted; a finalizer still holds it. Wait until it is gone, or remove the finalizer.`;
}

function isOwned(side: Side): string {
  return `The document at the ${side} belongs to another object or program, which may overwrite or delete it. Nothing is written. Set spec.sync.adopt, or exclude the document.`;
}

/** A conflict that a user decided: the other side takes the value of the winner. */
export const RESOLVED: BySide<Said> = {
  source: { reason: 'SourceWon', message: resolves('source') },
  destination: { reason: 'DestinationWon', message: resolves('destination') },
};

function resolves(winner: Side): string {
  return `The ${otherSide(winner)} takes the value of the ${winner}, as the annotation keyferry.io/resolve requires.`;
}

/** The resolution writes nothing. */
export const ACCEPTED =
  'Both sides stay as they are, as the annotation keyferry.io/resolve requires, until one of them changes.';

/** The resolution names other versions than those that are there: `now`, or undefined for a side that is not there. */
export function outdated(now: BySide<string | undefined>): string {
  const named = (['source', 'destination'] as const).map(
    (side) => `"${side}":${JSON.stringify(now[side] ?? '')}`,
  );
  return `The annotation keyferry.io/resolve is outdated: nothing is written. Name what is there now: ${named.join(',')}.`;
}

export const IMMUTABLE: Said = {
  reason: 'SecretImmutable',
  message:
    'The Secret is immutable and has another value. Nothing is written. Set spec.sync.recreateImmutable, or delete the Secret: it is created again.',
};

export function badResolution(problem: string): string {
  return `The annotation keyferry.io/resolve cannot be read: ${problem}. Nothing is written. Correct it.`;
}

/** Why a document stays whose other side has ended. */
type Stay =
  | 'edited'
  | 'expired'
  | 'final'
  | 'kept'
  | 'unknown'
  | 'unmarked'
  | 'leaving'
  | 'owned'
  /** Only a listing tells that the other one is deleted. */
  | 'listed'
  /** The whole store of the deleted document is being deleted. */
  | 'storeLeaving'
  /** Nothing shows that the store is still the one that had the document. */
  | 'unwitnessed';

/** What is said of the document that stays when the one at `side` was deleted or expired. */
export function afterEndOf(side: Side, stay: Stay): Said {
  const other = otherSide(side);
  if (stay === 'edited') {
    const message = `The ${side} ended, and another writer changed the ${other}. Nothing is removed or written. Restore the ${side}, remove the ${other} too, or ${CHOOSE}.`;
    return { reason: 'BothChanged', message };
  }
  const end = stay === 'expired' ? 'expired' : 'was deleted';
  const message = `The ${side} ${end}. The ${other} is kept${WHY_IT_STAYS[stay]}.`.replace('{ended}', side);
  return side === 'source' ? { reason: 'SourceGone', message } : { reason: 'DestinationGone', message };
}

const WHY_IT_STAYS = {
  expired: '',
  final: ', and its value is not written again under a name where it was deleted',
  kept: '; spec.sync.prune would remove it',
  unknown: ', because it is not known whether its value is the one that Keyferry wrote',
  unmarked: ', because it does not carry the mark of Keyferry',
  leaving: ', because it is being deleted already',
  owned: ', because it belongs to another object',
  listed: ', because with spec.mapping.join only a listing tells that its folder is empty',
  storeLeaving: ', because the store of the {ended} is being deleted with all that is in it',
  unwitnessed:
    ', because no other document of the migration shows that the store of the {ended} is still the same',
} as const satisfies Readonly<Record<Exclude<Stay, 'edited'>, string>>;
