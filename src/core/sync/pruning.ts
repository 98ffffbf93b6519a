import type { PriorRecords } from '../journal.ts';
import type { PriorRecord } from '../outcome.ts';
import type { Side } from './observed.ts';

/*
 * How many documents may be removed because the other side of them was deleted, and what rows tell of earlier removals. A
 * limit for one pass alone would not hold: a namespace that is emptied arrives in many small passes.
 */

/** Removals count against the limit for this time. The row of a removed document stays for as long. */
export const PRUNE_WINDOW_MS = 3_600_000;

/** How many documents a migration has, wants to remove and removed. */
export interface PruneCount {
  /** All rows of the migration. */
  readonly documents: number;
  /** Documents that wait for their removal, or waited for it when they were last looked at. */
  readonly awaiting: number;
  /** Documents that were removed in the last PRUNE_WINDOW_MS, or are being removed. */
  readonly removed: number;
  /** How many of `awaiting` and `removed` together are allowed. */
  readonly limit: number;
}

/** What a pass knows when it counts. */
export interface PrunePass {
  readonly prior: PriorRecords;
  /** The documents of this pass. */
  readonly expected: Iterable<string>;
  /** Those of them that are to be removed. */
  readonly awaiting: ReadonlySet<string>;
  /** Undefined: the pass looks at all documents. */
  readonly only: ReadonlySet<string> | undefined;
  readonly percent: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function countPruning({ prior, expected, awaiting, only, percent, now }: PrunePass): PruneCount {
  const documents = countDocuments({ prior, expected, awaiting });
  let stillLimited = 0;
  let removed = 0;
  for (const row of prior.values()) {
    const { name, reason } = row;
    if (awaiting.has(name)) continue;
    if (reason === 'PruneLimited' && only !== undefined && !only.has(name)) stillLimited += 1;
    if (isBeingPruned(row) || isKept(row, now)) removed += 1;
  }
  return {
    documents,
    awaiting: awaiting.size + stillLimited,
    removed,
    limit: Math.max(1, Math.floor((documents * percent) / 100)),
  };
}

/** Names that are in any of the three. `expected` has each once. */
function countDocuments({
  prior,
  expected,
  awaiting,
}: Pick<PrunePass, 'prior' | 'expected' | 'awaiting'>): number {
  const others = new Set([...awaiting].filter((name) => !prior.has(name)));
  let documents = prior.size;
  for (const name of expected) {
    if (prior.has(name)) continue;
    documents += 1;
    others.delete(name);
  }
  return documents + others.size;
}

export function isOverLimit({ awaiting, limit, removed }: PruneCount): boolean {
  return awaiting + removed > limit;
}

/** True for the row of a document that was pruned and still counts. */
export function isKept(prior: PriorRecord, now: number): boolean {
  return wasPruned(prior) && now - prior.since < PRUNE_WINDOW_MS;
}

/** True for a document that an earlier run removed because the other side was deleted. That proves nothing of a copy. */
export function wasPruned({ reason, state }: PriorRecord): boolean {
  return state === 'Removed' && isPruning(reason);
}

/** True if the removal was announced, and it is not known whether it was done: it was cut off, or a finalizer holds it. */
export function isBeingPruned({ reason, state }: PriorRecord): boolean {
  return state === 'Pending' && isPruning(reason);
}

function isPruning(reason: PriorRecord['reason']): boolean {
  return reason === 'PrunedDestination' || reason === 'PrunedSource';
}

/** The side that an earlier run removed, and that is not in step again since; undefined if none was. */
export function prunedSide(prior: PriorRecord | undefined): Side | undefined {
  if (prior === undefined) return undefined;
  const { reason } = prior;
  if (reason === 'DestinationReturned' || reason === 'SourceReturned')
    return reason === 'SourceReturned' ? 'source' : 'destination';
  if (!wasPruned(prior)) return undefined;
  return reason === 'PrunedSource' ? 'source' : 'destination';
}
