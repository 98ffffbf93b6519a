import type { ReadOutcome } from '#src/backends/driver.ts';
import type { Address, ReadResult } from '#src/core/document.ts';
import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { isAbort } from '#src/errors.ts';
import { forEachConcurrently } from './concurrency.ts';
import { EXPIRED, failedOutcome } from './failure.ts';
import type { RunContext } from './run-context.ts';

/**
 * Documents that an earlier run recorded and this one did not meet: removed by us after proof (perhaps by a run that was
 * killed before it could record it), removed by another writer, or still there and no longer selected. Both stores are
 * asked, neither is touched. A document that left the selection gets no outcome: it is no longer ours to report.
 */
export async function accountForGone(
  context: RunContext,
  names: readonly string[],
  settle: (outcome: Outcome) => Promise<void>,
): Promise<void> {
  const { route } = context.intent;
  const bySource = new Map(
    names.map((name) => [context.journal.prior.get(name)?.source ?? route.sourceOf(name), name]),
  );
  if (bySource.size === 0) return;
  await forEachConcurrently(
    context.source.readMany([...bySource.keys()], context.signal),
    async (read) => {
      const prior = context.journal.prior.get(bySource.get(read.address) ?? '');
      const outcome = prior === undefined ? undefined : await outcomeOfUnmet(context, prior, read);
      if (outcome !== undefined) await settle(outcome);
    },
    { limit: context.concurrency, stop: () => context.shouldStop() },
  );
}

async function outcomeOfUnmet(
  context: RunContext,
  prior: PriorRecord,
  read: ReadOutcome,
): Promise<Outcome | undefined> {
  if ('error' in read) return sourceUnknown(context, prior, read.error);
  if (read.result.state === 'present') return undefined;
  return (await outcomeOfRemoved(context, prior.name)) ?? removedByAnother(prior);
}

/**
 * What to say of a document whose source is not there (or only as a deleted version) when an earlier run had proven it
 * and removal was its policy; undefined when none had.
 */
export async function outcomeOfRemoved(context: RunContext, name: string): Promise<Outcome | undefined> {
  const prior = context.journal.prior.get(name);
  const path = prior?.destination?.path;
  if (prior === undefined || path === undefined || !wasProven(context, prior)) return undefined;
  // The version stays in a failed row: it tells the next run that there was proof (see wasProven).
  const known = { name, keys: prior.keys, destination: { ...prior.destination, path } };
  try {
    const found = await context.destination.read(path, context.signal);
    const base = { ...known, ...(await backupOf(context, name)) };
    if (found.state === 'present') {
      const version = found.document.version.revision;
      const place = { ...base.destination, version };
      return { ...base, state: 'Removed', destination: place };
    }
    return hasEnded(found) ? ended(base, prior) : lost(base);
  } catch (failure) {
    if (isAbort(failure, context.signal)) throw failure;
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
export function wasProven(context: RunContext, prior: PriorRecord): boolean {
  if (prior.state === 'Removed') return true;
  if (prior.state === 'Verified') return removesSource(context, prior.name);
  return prior.state === 'Failed' && prior.destination?.version !== undefined;
}

/** The backup of a document whose policy is to keep one, if there is one: a killed run may have made it. */
export async function backupOf(context: RunContext, name: string): Promise<{ backup?: Address }> {
  const { backups } = context.source;
  if (backups === undefined || context.intent.policyOf(name).sourcePolicy !== 'Backup') return {};
  const address = context.intent.route.sourceOf(name);
  return (await backups.has(address, context.signal)) ? { backup: backups.addressOf(address) } : {};
}

function removesSource(context: RunContext, name: string): boolean {
  const { sourcePolicy } = context.intent.policyOf(name);
  return sourcePolicy === 'Delete' || sourcePolicy === 'Backup';
}

/** A row whose source cannot be read now; proof that there was is kept by the version, none is made up. */
function sourceUnknown(context: RunContext, prior: PriorRecord, failure: unknown): Outcome {
  return failedOutcome(wasProven(context, prior) ? versionedBaseOf(prior) : baseOf(prior), failure);
}

function versionedBaseOf(prior: PriorRecord): Omit<Outcome, 'state'> {
  const { name, keys, destination } = prior;
  return { name, keys, ...(destination === undefined ? {} : { destination }) };
}

function baseOf(prior: PriorRecord): Omit<Outcome, 'state'> {
  const { name, keys, destination } = prior;
  return { name, keys, ...(destination === undefined ? {} : { destination: { path: destination.path } }) };
}

function removedByAnother(prior: PriorRecord): Outcome {
  return {
    ...baseOf(prior),
    state: 'Skipped',
    reason: 'SourceGone',
    message: 'Another writer removed the source.',
  };
}
