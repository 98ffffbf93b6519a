import {
  keepsAttributes,
  sameFields,
  sameVersion,
  type ReadResult,
  type StoredDocument,
} from '#src/core/document.ts';
import type { Outcome, VerifiedPair } from '#src/core/outcome.ts';
import type { SourcePolicy } from '#src/core/checks.ts';
import { errorOf, isAbort, OperatorError } from '#src/errors.ts';
import { failedOutcome, reasonOf } from '../failure.ts';
import { heldBy } from '../gates.ts';
import { desiredDocument } from '../plan/desired-document.ts';
import { backupOf } from '../plan/unlisted.ts';
import type { ApplyInputs } from './inputs.ts';

type Inputs = Pick<
  ApplyInputs,
  'intent' | 'source' | 'destination' | 'gates' | 'destinationName' | 'permit' | 'signal'
>;

/**
 * Applies sourcePolicy to the source of one verified document (docs/architecture.md, the protocol):
 *
 *   a gate holds the removal?  → the source stays
 *   read source and destination again: still the verified versions, and still equal
 *   → Delete:  delete the source with its identity and version as precondition      → Removed
 *     Backup:  the same, after a copy of it was stored under another name           → Removed
 *     Project: mark it as the projection of the destination, with that precondition → Verified
 *
 * If anything differs from what was verified, the source stays and the next run decides again.
 */
export async function retireSource(inputs: Inputs, pair: VerifiedPair, base: Outcome): Promise<Outcome> {
  const { sourcePolicy } = inputs.intent.policyOf(pair.name);
  const held = sourcePolicy === 'Project' ? undefined : heldBy(inputs.gates, pair);
  if (held !== undefined) return { ...base, state: 'Verified', ...held };
  try {
    return (await unproven(inputs, pair, base)) ?? (await change(inputs, pair, { base, sourcePolicy }));
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
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

/** True when the document is unchanged since it was verified: the current version is still that one. */
function stillVerified(
  found: ReadResult,
  expected: VerifiedPair['sourceVersion'],
): found is { state: 'present'; document: StoredDocument } {
  return found.state === 'present' && sameVersion(found.document.version, expected);
}

/** Why the proof is no longer valid; undefined if it is. */
async function unproven(
  {
    intent,
    source: from,
    destination: to,
    signal,
  }: Pick<Inputs, 'intent' | 'source' | 'destination' | 'signal'>,
  pair: VerifiedPair,
  base: Outcome,
): Promise<Outcome | undefined> {
  const [source, destination] = await Promise.all([
    from.read(pair.source, signal),
    to.read(pair.destination, signal),
  ]);
  if (!stillVerified(source, pair.sourceVersion)) return changed(base, 'SourceChanged');
  if (!stillVerified(destination, pair.destinationVersion)) return changed(base, 'DestinationChanged');
  const desired = desiredDocument(intent, pair.destination, source.document);
  const equal = sameFields(desired, destination.document) && keepsAttributes(desired, destination.document);
  return equal ? undefined : changed(base, 'DestinationChanged');
}

interface Task {
  readonly base: Outcome;
  readonly sourcePolicy: SourcePolicy;
}

async function change(inputs: Inputs, pair: VerifiedPair, task: Task): Promise<Outcome> {
  const { base, sourcePolicy } = task;
  const { source, permit } = inputs;
  try {
    if (sourcePolicy === 'Delete') {
      await source.delete(pair.source, pair.sourceVersion, permit);
      return { ...base, state: 'Removed' };
    }
    if (sourcePolicy === 'Backup' && source.backups !== undefined) {
      const backup = await source.backups.retire(pair.source, pair.sourceVersion, permit);
      return { ...base, state: 'Removed', backup };
    }
    if (sourcePolicy === 'Project' && source.projections !== undefined) {
      const origin = `${inputs.destinationName} ${pair.destination}`;
      await source.projections.mark(pair.source, pair.sourceVersion, origin, permit);
      return { ...base, state: 'Verified', reason: 'Projected' };
    }
  } catch (failure) {
    return afterFailure(inputs, pair, task, failure);
  }
  throw new OperatorError('CAPABILITY_MISSING', { op: 'engine.retire', target: pair.source });
}

/** After a change without a reply, reads the source: if it is absent, it was removed; else the next run decides. */
async function afterFailure(
  inputs: Pick<Inputs, 'intent' | 'source' | 'signal'>,
  pair: VerifiedPair,
  { base, sourcePolicy }: Task,
  failure: unknown,
): Promise<Outcome> {
  const error = errorOf(failure);
  if (error.code === 'VERSION_CONFLICT') return changed(base, 'SourceChanged');
  if (error.code === 'ALREADY_EXISTS') return backupExists(base);
  if (!error.indeterminate && error.code !== 'NOT_FOUND') throw failure;
  const found = await inputs.source.read(pair.source, inputs.signal);
  if (found.state === 'present') {
    // Absent, then present: another writer created it.
    const reason = error.code === 'NOT_FOUND' ? 'SourceChanged' : reasonOf(error);
    return { ...base, state: 'Verified', reason, retry: 'soon' };
  }
  if (sourcePolicy === 'Project') return changed(base, 'SourceChanged');
  return { ...base, state: 'Removed', ...(await backupOf(inputs, pair.name)) };
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
