import { recordedOutcome, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import { isBeingPruned, isKept, wasPruned } from '#src/core/sync/pruning.ts';
import { SAID } from '#src/core/sync/said.ts';
import { documentIn } from './observe.ts';
import type { Seen } from './rows.ts';

/** The row of a document that is gone at both sides; undefined: it is forgotten. */
export function rowOfGone(prior: PriorRecord | undefined, now: number): Outcome | undefined {
  if (prior === undefined) return undefined;
  if (isKept(prior, now)) return recordedOutcome(prior);
  if (!isBeingPruned(prior)) return undefined;
  // The run that removed it could not record that, or a finalizer held it until now.
  const side = prior.reason === 'PrunedSource' ? 'source' : 'destination';
  return { ...recordedOutcome(prior), state: 'Removed', ...SAID[side].pruned };
}

/** The row of a document whose removal a finalizer still holds; undefined for any other one. */
export function rowOfLeaving(prior: PriorRecord | undefined, { reads }: Seen): Outcome | undefined {
  if (prior === undefined || !isBeingPruned(prior)) return undefined;
  const side = prior.reason === 'PrunedSource' ? 'source' : 'destination';
  return documentIn(reads[side])?.isLeaving === true
    ? { ...recordedOutcome(prior), retry: 'later' }
    : undefined;
}

/** The row of a pruned document that could not be read: it still counts. */
export function rowOfUnread(prior: PriorRecord | undefined): Outcome | undefined {
  return prior !== undefined && wasPruned(prior) ? recordedOutcome(prior) : undefined;
}
