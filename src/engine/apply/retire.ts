import { adoptionConflict, removesSource, type SourcePolicy } from '#src/core/checks.ts';
import {
  keepsAttributes,
  sameFields,
  sameVersion,
  type ReadResult,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import type { Outcome, VerifiedPair } from '#src/core/outcome.ts';
import { errorOf, isAbort, OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import { keyOf } from '../crossings.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { failedOutcome, reasonOf } from '../failure.ts';
import { heldBy } from '../gates.ts';
import { leaveDestination, observe } from '../plan/decide.ts';
import { desiredBeside, desiredDocument } from '../plan/desired-document.ts';
import { removalVerbs, withMissingRight } from '../plan/rights.ts';
import { backupOf } from '../plan/unlisted.ts';
import { inTime } from './in-time.ts';
import type { ApplyInputs } from './inputs.ts';
import { removing } from './run-permit.ts';

type Inputs = Pick<
  ApplyInputs,
  | 'claimedAs'
  | 'clock'
  | 'destination'
  | 'destinationName'
  | 'gates'
  | 'intent'
  | 'locks'
  | 'permit'
  | 'signal'
  | 'source'
>;

/** A removal relies on a proof of at most this age: the time of a few slow requests. */
export const MAX_PROOF_AGE_MS = 5_000;

/**
 * Applies sourcePolicy to the source of one verified document (docs/architecture.md, the protocol):
 *
 *   a gate holds the removal?  → the source stays
 *   lock both locations in this process
 *   → ask the gates again: what they know is a few seconds old, and the lock can have taken longer
 *   → claim the source, where the store can: a removal that another process prepared with an older version then fails
 *   → read the source, then the destination: still the verified versions, still equal, and neither is leaving
 *   → Delete:  delete the source with its identity and version as precondition      → Removed, once a read finds it gone
 *     Backup:  the same, after a copy of it was stored under another name           → Removed, once a read finds it gone
 *     Project: mark it as the projection of the destination, with that precondition → Verified
 *
 * If anything differs from what was verified, the source stays and the next run decides again.
 */
export async function retireSource(inputs: Inputs, pair: VerifiedPair, base: Outcome): Promise<Outcome> {
  const { sourcePolicy } = inputs.intent.policyOf(pair.name);
  if (sourcePolicy === 'Project') return retireLocked(inputs, pair, { base, sourcePolicy });
  const held = await heldOutcome(inputs, pair, base);
  if (held !== undefined) return held;
  if (pair.sourceIsLeaving === true) return removalPending(base);
  return retireLocked(inputs, pair, { base, sourcePolicy });
}

/** The row of a source that a gate holds; undefined if none does. */
async function heldOutcome(
  { gates, signal }: Pick<Inputs, 'gates' | 'signal'>,
  pair: VerifiedPair,
  base: Outcome,
): Promise<Outcome | undefined> {
  const held = await heldBy(gates, pair, { for: 'removal', signal });
  return held === undefined ? undefined : { ...base, state: 'Verified', ...held };
}

interface Task {
  readonly base: Outcome;
  readonly sourcePolicy: SourcePolicy;
}

async function retireLocked(inputs: Inputs, pair: VerifiedPair, task: Task): Promise<Outcome> {
  const { source, destination } = inputs;
  const locations = [source.locationOf(pair.source), destination.locationOf(pair.destination)];
  try {
    const time = { ms: DEADLINES_MS.removal, op: 'engine.retire', target: pair.source };
    return await inTime(inputs, time, async (timed) => {
      const change = async (): Promise<Outcome> => proveAndChange(timed, pair, task);
      return timed.locks.runAll(locations.map(keyOf), change, timed.signal);
    });
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    const verbs = removalVerbs(inputs.intent, pair.name, source.claims !== undefined);
    const need = { address: pair.source, verbs };
    const outcome = failedOutcome(task.base, failure, 'Verified');
    return withMissingRight(outcome, failure, { reader: source, need, signal: inputs.signal });
  }
}

async function proveAndChange(inputs: Inputs, pair: VerifiedPair, task: Task): Promise<Outcome> {
  try {
    const held = removesSource(task) ? await heldOutcome(inputs, pair, task.base) : undefined;
    if (held !== undefined) return held;
    const claimed = { ...pair, sourceVersion: await claim(inputs, pair, task) };
    const startedAt = inputs.clock.monotonic();
    const unproven = await unprovenOutcome(inputs, claimed, task.base);
    if (unproven !== undefined) return unproven;
    return await change(inputs, claimed, { ...task, permit: removalPermit(inputs, startedAt) });
  } catch (failure) {
    return afterFailure(inputs, pair, task, failure);
  }
}

/** The version of the source to remove. Nothing is claimed for a projection: its mark has its own precondition. */
async function claim(inputs: Inputs, pair: VerifiedPair, { sourcePolicy }: Task): Promise<Version> {
  const { claimedAs, permit, source } = inputs;
  if (source.claims === undefined || !removesSource({ sourcePolicy })) return pair.sourceVersion;
  return source.claims.claim(pair.source, pair.sourceVersion, claimedAs, permit);
}

/** Permits the removal while the proof that started then is young enough. */
export function removalPermit(
  { clock, permit }: Pick<Inputs, 'clock' | 'permit'>,
  startedAt: number,
  op = 'engine.retire',
): Permit {
  const removal = removing(permit);
  return {
    signal: removal.signal,
    require: () => {
      removal.require();
      if (clock.monotonic() - startedAt <= MAX_PROOF_AGE_MS) return;
      throw new OperatorError('PROOF_TOO_OLD', { op });
    },
  };
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

function removalPending(base: Outcome): Outcome {
  return {
    ...base,
    state: 'Verified',
    reason: 'RemovalPending',
    message:
      'The source is deleted, but a finalizer still holds it. Wait for its owner, or remove the finalizer.',
    retry: 'later',
  };
}

/** True when the document is unchanged since it was verified: the current version is still that one. */
function stillVerified(
  found: ReadResult,
  expected: VerifiedPair['sourceVersion'],
): found is { state: 'present'; document: StoredDocument } {
  return found.state === 'present' && sameVersion(found.document.version, expected);
}

/** Why the proof is no longer valid; undefined if it is. Reads the destination last: the source stays meanwhile. */
async function unprovenOutcome(
  inputs: Pick<Inputs, 'intent' | 'source' | 'destination' | 'signal'>,
  pair: VerifiedPair,
  base: Outcome,
): Promise<Outcome | undefined> {
  const { destination: to, intent, signal } = inputs;
  const source = await inputs.source.read(pair.source, signal);
  if (!stillVerified(source, pair.sourceVersion)) return changed(base, 'SourceChanged');
  if (await to.isLeaving(signal)) return failedOutcome(base, leaving(), 'Verified');
  const destination = await to.read(pair.destination, signal);
  if (!stillVerified(destination, pair.destinationVersion)) return changed(base, 'DestinationChanged');
  const whole = desiredDocument(inputs, pair, source.document);
  const { document: desired } = desiredBeside(inputs, pair, { desired: whole, found: destination });
  const equal = sameFields(desired, destination.document) && keepsAttributes(desired, destination.document);
  if (!equal) return changed(base, 'DestinationChanged');
  const conflict = adoptionConflict(intent.policyOf(pair.name), observe(to, desired, destination));
  return conflict === undefined ? undefined : leaveDestination(base, conflict);
}

function leaving(): OperatorError {
  return new OperatorError('NAMESPACE_LEAVING', { op: 'engine.retire' });
}

async function change(
  inputs: Inputs,
  pair: VerifiedPair,
  { base, permit, sourcePolicy }: Task & { readonly permit: Permit },
): Promise<Outcome> {
  const { source } = inputs;
  if (sourcePolicy === 'Delete') {
    await source.delete(pair.source, pair.sourceVersion, permit);
    return afterRemoval(inputs, pair, base);
  }
  if (sourcePolicy === 'Backup' && source.backups !== undefined) {
    const backup = await source.backups.retire(pair.source, pair.sourceVersion, permit);
    return afterRemoval(inputs, pair, { ...base, backup });
  }
  if (sourcePolicy === 'Project' && source.projections !== undefined) {
    const origin = `${inputs.destinationName} ${pair.destination}`;
    await source.projections.mark(pair.source, pair.sourceVersion, origin, permit);
    return { ...base, state: 'Verified', reason: 'Projected' };
  }
  throw new OperatorError('CAPABILITY_MISSING', { op: 'engine.retire', target: pair.source });
}

/** The server accepted the removal; a read shows whether the source is gone. */
async function afterRemoval(
  { permit, source }: Pick<Inputs, 'permit' | 'source'>,
  pair: VerifiedPair,
  base: Outcome,
): Promise<Outcome> {
  const found = await source.read(pair.source, permit.toComplete.signal);
  if (found.state !== 'present') return { ...base, state: 'Removed' };
  return found.document.isLeaving === true ? removalPending(base) : changed(base, 'SourceChanged');
}

/** After a change without a reply, reads the source: if it is absent, it was removed; else the next run decides. */
async function afterFailure(
  inputs: Pick<Inputs, 'intent' | 'permit' | 'source' | 'signal'>,
  pair: VerifiedPair,
  { base, sourcePolicy }: Task,
  failure: unknown,
): Promise<Outcome> {
  if (isAbort(failure, inputs.signal)) throw failure;
  const error = errorOf(failure);
  if (error.code === 'VERSION_CONFLICT') return changed(base, 'SourceChanged');
  if (error.code === 'ALREADY_EXISTS') return backupExists(base);
  if (!error.indeterminate && error.code !== 'NOT_FOUND') throw failure;
  const { signal } = inputs.permit.toComplete;
  const found = await inputs.source.read(pair.source, signal);
  if (found.state === 'present') {
    if (found.document.isLeaving === true) return removalPending(base);
    // Absent, then present: another writer created it.
    const reason = error.code === 'NOT_FOUND' ? 'SourceChanged' : reasonOf(error);
    return { ...base, state: 'Verified', reason, retry: 'soon' };
  }
  if (sourcePolicy === 'Project') return changed(base, 'SourceChanged');
  return { ...base, state: 'Removed', ...(await backupOf({ ...inputs, signal }, pair.name)) };
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
