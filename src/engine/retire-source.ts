import {
  keepsAttributes,
  sameFields,
  sameVersion,
  type ReadResult,
  type StoredDocument,
} from '#src/core/document.ts';
import type { Outcome, VerifiedPair } from '#src/core/outcome.ts';
import type { SourcePolicy } from '#src/core/plan.ts';
import { errorOf, isAbort, OperatorError } from '#src/errors.ts';
import { failedOutcome, reasonOf } from './failure.ts';
import { backupOf } from './gone.ts';
import type { RunContext } from './run-context.ts';
import { wantedAt } from './wanted.ts';

/**
 * Does with the source of one verified document what its policy says (design.md §3, last lines):
 *
 *   trust root?  → stays, if it were to go
 *   read both sides again, still the versions that were verified and still equal
 *   → Delete:  delete the source with its identity and version as precondition      → Removed
 *     Backup:  the same, after a copy of it was kept under another name             → Removed
 *     Project: mark it as the projection of the destination, with that precondition → Verified
 *
 * Whatever is not exactly as verified leaves the source alone and sends the document back to the next run.
 */
export async function retireSource(context: RunContext, pair: VerifiedPair, base: Outcome): Promise<Outcome> {
  const { sourcePolicy } = context.intent.policyOf(pair.name);
  const holder = sourcePolicy === 'Project' ? undefined : context.trustRootOf(pair.name);
  if (holder !== undefined) {
    const message = `The source is kept: ${holder} reads its credentials from this Secret.`;
    return { ...base, state: 'Verified', reason: 'TrustRoot', message };
  }
  try {
    return (await unproven(context, pair, base)) ?? (await carryOut(context, pair, { base, sourcePolicy }));
  } catch (failure) {
    if (isAbort(failure, context.signal)) throw failure;
    return failedOutcome(base, failure, 'Verified');
  }
}

function changed(base: Outcome, which: 'SourceChanged' | 'DestinationChanged'): Outcome {
  const side = which === 'SourceChanged' ? 'source' : 'destination';
  return {
    ...base,
    state: 'Pending',
    reason: which,
    message: `The ${side} changed after verification; nothing was removed. No action needed; both are compared again.`,
    retry: 'soon',
  };
}

/** Unchanged since it was verified; where revisions are kept, the current one must still be that one. */
function stillVerified(
  found: ReadResult,
  expected: VerifiedPair['sourceVersion'],
): found is { state: 'present'; document: StoredDocument } {
  return found.state === 'present' && sameVersion(found.document.version, expected);
}

/** Why the proof no longer holds, or undefined: it does. */
async function unproven(
  context: RunContext,
  pair: VerifiedPair,
  base: Outcome,
): Promise<Outcome | undefined> {
  const [source, destination] = await Promise.all([
    context.source.read(pair.source, context.signal),
    context.destination.read(pair.destination, context.signal),
  ]);
  if (!stillVerified(source, pair.sourceVersion)) return changed(base, 'SourceChanged');
  if (!stillVerified(destination, pair.destinationVersion)) return changed(base, 'DestinationChanged');
  const wanted = wantedAt(context.intent, pair.destination, source.document);
  const equal = sameFields(wanted, destination.document) && keepsAttributes(wanted, destination.document);
  return equal ? undefined : changed(base, 'DestinationChanged');
}

interface Task {
  readonly base: Outcome;
  readonly sourcePolicy: SourcePolicy;
}

async function carryOut(context: RunContext, pair: VerifiedPair, task: Task): Promise<Outcome> {
  const { base, sourcePolicy } = task;
  const { source, signal } = context;
  try {
    if (sourcePolicy === 'Delete') {
      await source.delete(pair.source, pair.sourceVersion, signal);
      return { ...base, state: 'Removed' };
    }
    if (sourcePolicy === 'Backup' && source.backups !== undefined) {
      const backup = await source.backups.retire(pair.source, pair.sourceVersion, signal);
      return { ...base, state: 'Removed', backup };
    }
    if (sourcePolicy === 'Project' && source.projections !== undefined) {
      const origin = `${context.destinationName} ${pair.destination}`;
      await source.projections.mark(pair.source, pair.sourceVersion, origin, signal);
      return { ...base, state: 'Verified', reason: 'Projected' };
    }
  } catch (failure) {
    return afterFailure(context, pair, task, failure);
  }
  throw new OperatorError('CAPABILITY_MISSING', { op: 'engine.retire', target: pair.source });
}

/** A change whose reply was lost is decided by looking: gone is removed, anything else waits for the next run. */
async function afterFailure(
  context: RunContext,
  pair: VerifiedPair,
  { base, sourcePolicy }: Task,
  failure: unknown,
): Promise<Outcome> {
  const error = errorOf(failure);
  if (error.code === 'VERSION_CONFLICT') return changed(base, 'SourceChanged');
  if (error.code === 'ALREADY_EXISTS') return backupExists(base);
  if (!error.indeterminate && error.code !== 'NOT_FOUND') throw failure;
  const found = await context.source.read(pair.source, context.signal);
  if (found.state === 'present') {
    // Gone and there again: another writer made it.
    const reason = error.code === 'NOT_FOUND' ? 'SourceChanged' : reasonOf(error);
    return { ...base, state: 'Verified', reason, retry: 'soon' };
  }
  if (sourcePolicy === 'Project') return changed(base, 'SourceChanged');
  return { ...base, state: 'Removed', ...(await backupOf(context, pair.name)) };
}

function backupExists(base: Outcome): Outcome {
  return {
    ...base,
    state: 'Verified',
    reason: 'BackupExists',
    message: 'The source is kept: a different backup of this name exists. Check that backup and remove it.',
    retry: 'later',
  };
}
