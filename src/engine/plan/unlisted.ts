import type { ReadOutcome } from '#src/backends/driver.ts';
import type { Address, ReadResult } from '#src/core/document.ts';
import { recordedVersion, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import { isAbort } from '#src/errors.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { EXPIRED, failedOutcome } from '../failure.ts';
import type { PlanInputs } from './inputs.ts';
import type { Intent } from './intent.ts';

type Inputs = Pick<PlanInputs, 'intent' | 'source' | 'destination' | 'prior' | 'concurrency' | 'signal'>;

/**
 * What became of documents that an earlier run recorded and the source no longer lists: removed by us after proof
 * (perhaps by a run that was killed before it could record it), removed by another writer, or still there and no longer
 * selected. Both stores are asked, neither is touched. A document that left the selection gets no outcome: it is no longer
 * ours to report.
 */
export async function* reportUnlisted(inputs: Inputs, names: readonly string[]): AsyncGenerator<Outcome> {
  if (names.length === 0) return;
  const { concurrency, intent, prior, signal, source } = inputs;
  const bySource = new Map(
    names.map((name) => [prior.get(name)?.source?.path ?? intent.route.sourceOf(name), name]),
  );
  const reads = source.readMany([...bySource.keys()], signal);
  const outcomes = mapConcurrently(reads, concurrency, async (read) => {
    const record = prior.get(bySource.get(read.address) ?? '');
    return record === undefined ? undefined : outcomeOfUnlisted(inputs, record, read);
  });
  for await (const outcome of outcomes) if (outcome !== undefined) yield outcome;
}

async function outcomeOfUnlisted(
  inputs: Inputs,
  prior: PriorRecord,
  read: ReadOutcome,
): Promise<Outcome | undefined> {
  if ('error' in read) return sourceUnknown(inputs, prior, read.error);
  if (read.result.state === 'present') return undefined;
  return (await outcomeOfRemoved(inputs, prior.name)) ?? removedByAnother(prior);
}

/**
 * What to say of a document whose source is not there (or only as a deleted version) when an earlier run had proven it
 * and removal was its policy; undefined when none had.
 */
export async function outcomeOfRemoved(
  inputs: Omit<Inputs, 'concurrency'>,
  name: string,
): Promise<Outcome | undefined> {
  const prior = inputs.prior.get(name);
  const path = prior?.destination?.path;
  if (prior === undefined || path === undefined || !wasProven(inputs, prior)) return undefined;
  // The version stays in a failed row: it tells the next run that there was proof (see wasProven).
  const known = { ...baseOf(prior), destination: { ...prior.destination, path } };
  try {
    const found = await inputs.destination.read(path, inputs.signal);
    const base = { ...known, ...(await backupOf(inputs, name)) };
    if (found.state === 'present') {
      const { version: _version, identity: _identity, ...place } = known.destination;
      const destination = { ...place, ...recordedVersion(found.document.version) };
      return { ...base, state: 'Removed', destination };
    }
    return hasEnded(found) ? ended(base, prior) : lost(base);
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    return failedOutcome(known, failure);
  }
}

function hasEnded(found: ReadResult): boolean {
  return found.state === 'deleted' && found.expired === true;
}

/** It has come to the end of its life, after it was moved or at both sides at once: nothing was lost. */
function ended(base: Omit<Outcome, 'state'>, prior: PriorRecord): Outcome {
  return { ...base, ...EXPIRED, ...(prior.state === 'Removed' ? { state: 'Removed' } : {}) };
}

function lost(base: Omit<Outcome, 'state'>): Outcome {
  return {
    ...base,
    state: 'Failed',
    reason: 'DestinationLost',
    message: `The source was removed after verification, and the destination no longer has the document. ${remedyOf(base.backup)}`,
    retry: 'later',
  };
}

/** The row names the backup. */
function remedyOf(backup: string | undefined): string {
  return backup === undefined ? 'Undelete it, or restore it from a snapshot.' : 'Restore it from its backup.';
}

/** True when an earlier run had proven this document and removing its source was its policy, or had removed it. */
export function wasProven({ intent }: Pick<PlanInputs, 'intent'>, prior: PriorRecord): boolean {
  if (prior.state === 'Removed') return true;
  if (prior.state === 'Verified') return removesSource(intent, prior.name);
  return prior.state === 'Failed' && prior.destination?.version !== undefined;
}

/** The backup of a document whose policy is to keep one, if there is one: a killed run may have made it. */
export async function backupOf(
  { intent, source, signal }: Pick<PlanInputs, 'intent' | 'source' | 'signal'>,
  name: string,
): Promise<{ backup?: Address }> {
  const { backups } = source;
  if (backups === undefined || intent.policyOf(name).sourcePolicy !== 'Backup') return {};
  const address = intent.route.sourceOf(name);
  return (await backups.has(address, signal)) ? { backup: backups.addressOf(address) } : {};
}

function removesSource(intent: Intent, name: string): boolean {
  const { sourcePolicy } = intent.policyOf(name);
  return sourcePolicy === 'Delete' || sourcePolicy === 'Backup';
}

/** A row whose source cannot be read now; proof that there was is kept by the version, none is made up. */
function sourceUnknown(inputs: Pick<PlanInputs, 'intent'>, prior: PriorRecord, failure: unknown): Outcome {
  return failedOutcome(wasProven(inputs, prior) ? versionedBaseOf(prior) : baseOf(prior), failure);
}

function versionedBaseOf(prior: PriorRecord): Omit<Outcome, 'state'> {
  const { destination } = prior;
  return { ...baseOf(prior), ...(destination === undefined ? {} : { destination }) };
}

/** What was read at the source stays on record, with its address: it is the last that is known of it. */
function baseOf(prior: PriorRecord): Omit<Outcome, 'state'> {
  const { name, keys, destination, source } = prior;
  return {
    name,
    keys,
    ...(destination === undefined ? {} : { destination: { path: destination.path } }),
    ...(source === undefined ? {} : { source }),
  };
}

function removedByAnother(prior: PriorRecord): Outcome {
  return {
    ...baseOf(prior),
    state: 'Skipped',
    reason: 'SourceGone',
    message: 'Another writer removed the source.',
  };
}
