import { distinct } from '#src/backends/addresses.ts';
import type { ReadOutcome } from '#src/backends/driver.ts';
import { removesSource } from '#src/core/checks.ts';
import type { Address, ReadResult, StoredDocument } from '#src/core/document.ts';
import {
  recordedOutcome,
  type DestinationRecord,
  type Outcome,
  type PriorRecord,
} from '#src/core/outcome.ts';
import { wasPruned } from '#src/core/sync/pruning.ts';
import { isAbort } from '#src/errors.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { EXPIRED, failedOutcome } from '../failure.ts';
import type { PlanInputs } from './inputs.ts';

type Inputs = Pick<PlanInputs, 'intent' | 'source' | 'destination' | 'prior' | 'concurrency' | 'signal'>;

/**
 * The outcomes of documents that an earlier run recorded and the source no longer lists: removed by us after proof
 * (perhaps by a run that was killed before it could record it), removed by another writer, or still there and no longer
 * selected. Reads both backends, changes neither. A document that left the selection gets no outcome: it is no longer ours
 * to report.
 */
export async function* reportUnlisted(inputs: Inputs, all: Iterable<string>): AsyncGenerator<Outcome> {
  const { concurrency, prior, signal, source } = inputs;
  const names = unprunedIn(prior, all);
  const first = names.next();
  if (first.done === true) return;
  const asked = new AskedAt(inputs);
  const addresses = distinct(() => asked.addressesOf(first.value, names));
  const outcomes = mapConcurrently(source.readMany(addresses, signal), concurrency, async (read) => {
    const record = prior.get(asked.nameAt(read.address));
    return record === undefined ? undefined : outcomeOfUnlisted(inputs, record, read);
  });
  for await (const outcome of outcomes) if (outcome !== undefined) yield outcome;
}

function* unprunedIn(prior: Inputs['prior'], names: Iterable<string>): Generator<string, undefined> {
  for (const name of names) if (!isPruned(prior.get(name))) yield name;
  return undefined;
}

/** Which names are asked for at which addresses: kept until the answer comes, and only where an address is not its name. */
class AskedAt {
  readonly #inputs: Pick<Inputs, 'intent' | 'prior'>;
  readonly #names = new Map<Address, string>();

  constructor(inputs: Pick<Inputs, 'intent' | 'prior'>) {
    this.#inputs = inputs;
  }

  *addressesOf(first: string, others: Iterable<string>): Generator<Address> {
    yield this.#ask(first);
    for (const name of others) yield this.#ask(name);
  }

  nameAt(address: Address): string {
    const name = this.#names.get(address) ?? address;
    this.#names.delete(address);
    return name;
  }

  #ask(name: string): Address {
    const { intent, prior } = this.#inputs;
    const address = prior.get(name)?.source?.path ?? intent.route.sourceOf(name);
    if (address !== name) this.#names.set(address, name);
    return address;
  }
}

/** Both sides were meant to go. */
function isPruned(prior: PriorRecord | undefined): boolean {
  return prior !== undefined && wasPruned(prior);
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
 * The outcome of a document whose source is absent or deleted, if an earlier run proved it and removal was its policy, or
 * another version recorded a state that is not known; else undefined.
 */
export async function outcomeOfRemoved(
  inputs: Omit<Inputs, 'concurrency'>,
  name: string,
  known?: Known,
): Promise<Outcome | undefined> {
  const prior = inputs.prior.get(name);
  if (prior !== undefined && isOfUnknownState(prior)) return unexplained(prior);
  const path = prior?.destination?.path;
  if (prior === undefined || path === undefined || isPruned(prior) || !hadProof(inputs, prior))
    return undefined;
  return outcomeOfProven(inputs, prior, { path, found: foundAt(path, known) });
}

function foundAt(path: Address, known: Known | undefined): ReadResult | undefined {
  return known?.path === path ? known.found : undefined;
}

/** What was read at an address of the destination; `found` undefined: nothing yet. */
interface Known {
  readonly path: Address;
  readonly found: ReadResult | undefined;
}

async function outcomeOfProven(
  inputs: Omit<Inputs, 'concurrency'>,
  prior: PriorRecord,
  { path, found: read }: Known,
): Promise<Outcome> {
  // The version stays in a failed row: it tells the next run that there was proof (see hadProof).
  const known = { ...baseOf(prior), destination: { ...prior.destination, path } };
  try {
    const found = read ?? (await inputs.destination.read(path, inputs.signal));
    const base = { ...known, ...(await backupOf(inputs, prior.name)) };
    if (found.state === 'present')
      return {
        ...base,
        ...lossIn(prior),
        state: 'Removed',
        destination: withVersion(known.destination, found.document),
      };
    return hasEnded(found) ? ended(base, prior) : lost(base);
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    return failedOutcome(known, failure);
  }
}

/**
 * A version with its identity stays on record as it was proven: the expiry of a backup must not trust another document at
 * the same path. Without an identity, the version is the one there now.
 */
function withVersion(record: DestinationRecord, { version }: StoredDocument): DestinationRecord {
  return record.identity === undefined ? { ...record, version: version.revision } : record;
}

/** What was lost with the source stays in the row. */
function lossIn({ reason, message }: PriorRecord): Pick<Outcome, 'reason' | 'message'> {
  return reason === 'MetadataLost' ? { reason, ...(message === undefined ? {} : { message }) } : {};
}

function hasEnded(found: ReadResult): boolean {
  return found.state === 'deleted' && found.expired === true;
}

/** The document expired, after it was moved or in both backends at once: nothing was lost. */
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

/** True when an earlier run removed the source of this document, or proved it and removal was its policy. */
export function hadProof({ intent }: Pick<PlanInputs, 'intent'>, prior: PriorRecord): boolean {
  if (prior.state === 'Removed') return true;
  if (prior.state === 'Verified') return removesSource(intent.policyOf(prior.name));
  return prior.state === 'Failed' && prior.destination?.version !== undefined && !isOfUnknownState(prior);
}

/** True when another version recorded a state that this one does not know: it tells of no proof, and denies none. */
export function isOfUnknownState({ reason }: PriorRecord): boolean {
  return reason === 'UnknownState';
}

/** The backup of a document with sourcePolicy Backup, if it exists: a killed run may have made it. */
export async function backupOf(
  { intent, source, signal }: Pick<PlanInputs, 'intent' | 'source' | 'signal'>,
  name: string,
): Promise<{ backup?: Address }> {
  const { backups } = source;
  if (backups === undefined || intent.policyOf(name).sourcePolicy !== 'Backup') return {};
  const address = intent.route.sourceOf(name);
  return (await backups.has(address, signal)) ? { backup: backups.addressOf(address) } : {};
}

/** The outcome when the source cannot be read now. The version stays only if there was a proof. */
function sourceUnknown(inputs: Pick<PlanInputs, 'intent'>, prior: PriorRecord, failure: unknown): Outcome {
  if (isOfUnknownState(prior)) {
    return { ...recordedOutcome(prior), retry: 'later' };
  }
  return failedOutcome(hadProof(inputs, prior) ? versionedBaseOf(prior) : baseOf(prior), failure);
}

function versionedBaseOf(prior: PriorRecord): Omit<Outcome, 'state'> {
  const { destination } = prior;
  return { ...baseOf(prior), ...(destination === undefined ? {} : { destination }) };
}

/** The last known state of the source stays on record, with its address. */
function baseOf(prior: PriorRecord): Omit<Outcome, 'state'> {
  const { name, keys, destination, source } = prior;
  return {
    name,
    keys,
    ...(destination === undefined ? {} : { destination: { path: destination.path } }),
    ...(source === undefined ? {} : { source }),
  };
}

/** The row stays as it is, with its version: the other version can tell what became of the document. */
function unexplained(prior: PriorRecord): Outcome {
  const row = recordedOutcome(prior);
  const advice = 'The source is gone. Look at the destination, or run that version again.';
  const { message = '' } = row;
  return {
    ...row,
    state: 'Failed',
    reason: 'UnknownState',
    message: message.endsWith(advice) ? message : `${message} ${advice}`.trimStart(),
    retry: 'never',
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
