import { sameFields, type ReadResult, type StoredDocument } from '#src/core/document.ts';
import type { PriorRecord, Base } from '#src/core/outcome.ts';
import { baseFrom, recordedBase } from '#src/core/sync/base.ts';
import { prunedSide } from '#src/core/sync/pruning.ts';
import type { BySide, Found, Observed, Side } from '#src/core/sync/observed.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { SyncIntent } from '../plan/intent.ts';
import type { PlannedDocument } from '../plan/plan.ts';
import { withBaseBytes } from './base.ts';
import { desiredAt } from './way.ts';

/*
 * What is known of one document before its step is chosen: both sides as they were read, and the base. Changes nothing.
 */

export type ObserveInputs = Pick<
  PlanInputs,
  'intent' | 'source' | 'destination' | 'prior' | 'signal' | 'keepsVersions'
>;

/** The document at one side; undefined if it is not there. */
export function documentIn(read: ReadResult): StoredDocument | undefined {
  return read.state === 'present' ? read.document : undefined;
}

/** The versions in which both sides were last equal: of the row, or of the mark that one of them carries. */
export function baseOf(
  prior: PriorRecord | undefined,
  document: PlannedDocument,
  reads: BySide<ReadResult>,
): Base | undefined {
  const { destination, isAtOldSource, source } = document;
  const recorded = recordedBase(prior, destination, isAtOldSource === true ? source : undefined);
  const marked = (['destination', 'source'] as const).find(
    (side) => documentIn(reads[side])?.reflects !== undefined,
  );
  return marked === undefined ? recorded : baseFrom(recorded, marked, documentIn(reads[marked])?.reflects);
}

/**
 * Both sides and the base, with its bytes where the step depends on them. Throws what a read of a history throws, and what
 * `desiredAt` throws.
 */
export async function observe(
  inputs: ObserveInputs,
  sync: SyncIntent,
  {
    document,
    reads,
    base,
  }: {
    readonly document: PlannedDocument;
    readonly reads: BySide<ReadResult>;
    readonly base: Base | undefined;
  },
): Promise<Observed> {
  const found = { source: documentIn(reads.source), destination: documentIn(reads.destination) };
  const atDestination = (from: StoredDocument) =>
    desiredAt(inputs, document, { to: 'destination', from, current: found.destination }).document;
  const areEqual =
    found.source !== undefined &&
    found.destination !== undefined &&
    sameFields(atDestination(found.source), found.destination);
  const foundAt = (side: Side): Found =>
    foundIn(reads[side], { sync, keepsHistory: inputs.keepsVersions[side] });
  const pruned = prunedSide(inputs.prior.get(document.name));
  const observed = {
    base,
    ...(pruned === undefined ? {} : { pruned }),
    sides: { source: foundAt('source'), destination: foundAt('destination') },
    areEqual,
  };
  const historyOf = (side: Side) => ({
    reader: inputs[side],
    address: document[side],
    keepsVersions: inputs.keepsVersions[side],
    current: found[side],
  });
  return withBaseBytes(sync, observed, {
    sides: { source: historyOf('source'), destination: historyOf('destination') },
    atDestination,
    signal: inputs.signal,
  });
}

function foundIn(
  read: ReadResult,
  { sync, keepsHistory }: { readonly sync: Pick<SyncIntent, 'adopts'>; readonly keepsHistory: boolean },
): Found {
  if (read.state === 'absent') return read;
  if (read.state === 'deleted')
    return {
      state: 'deleted',
      version: read.version,
      ...(read.expired === undefined ? {} : { expired: read.expired }),
    };
  const { version, isLeaving, isMarked, manager, owner, unfinished } = read.document;
  const hold =
    isLeaving === true ? 'leaving' : (owner ?? manager) !== undefined && !sync.adopts ? 'owned' : undefined;
  return {
    state: 'present',
    version,
    // The marks of an unfinished version are those of a write that may have lost.
    isMarked: isMarked === true && unfinished !== true,
    keepsHistory,
    ...(hold === undefined ? {} : { hold }),
  };
}
