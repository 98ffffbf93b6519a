import {
  sameAttributes,
  sameFields,
  type Document,
  type Expectation,
  type ReadResult,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import { recordedVersion, type Outcome, type Place, type VerifiedPair } from '#src/core/outcome.ts';
import { planStep, shortcomingOf, type Observation, type Step } from '#src/core/plan.ts';
import { errorOf, hasCode, isAbort, OperatorError } from '#src/errors.ts';
import { EXPIRED, failedOutcome } from './failure.ts';
import type { Item } from './item.ts';
import type { RunContext } from './run-context.ts';
import { wantedAt } from './wanted.ts';

/**
 * One document, from its source bytes to proof (design.md §3):
 *
 *   destination absent   → write, expecting absent → read back that version, compare → Verified
 *   destination equal    → adopt, nothing is written                                 → Verified
 *   differs or deleted   → what conflictPolicy says: Conflict or Skipped, untouched; or, once the record of the version
 *                          to go back to is durable, write, expecting that version → read back → Verified
 *
 * A write whose reply never came, or that lost against another writer, is followed by a read and a new decision; it is
 * never repeated blindly.
 */
export interface Copied {
  readonly outcome: Outcome;
  /** Set when source and destination were proven equal. */
  readonly pair?: VerifiedPair;
  /** The version at the destination that is to be overwritten, which needs a durable record of that first. */
  readonly awaitsOverwrite?: string;
  /** What went wrong, for the run to tell a failed document from a failed backend. */
  readonly failure?: unknown;
}

export interface CopyOptions {
  /** What the listing already tells of the destination (absent), or undefined. */
  readonly known: ReadResult | undefined;
  /** The version that may be overwritten, since the record of it is durable; no other one may. */
  readonly announced?: string;
}

/** Rounds of decide-and-write before giving up until the next run: each lost round means another writer was faster. */
const MAX_ROUNDS = 3;

interface Target {
  readonly item: Item;
  readonly source: StoredDocument;
  readonly wanted: Document;
  readonly base: Omit<Outcome, 'state'>;
}

function baseOf(
  context: RunContext,
  item: Item,
  source: StoredDocument,
  announced: string | undefined,
): Omit<Outcome, 'state'> {
  const keys = [...source.fields.keys()].toSorted();
  // Whatever becomes of it: what was announced stays on record until it is known not to have happened.
  const destination = {
    path: item.destination,
    ...(announced === undefined ? {} : { priorVersion: announced }),
  };
  const isElsewhere = item.source !== context.intent.route.sourceOf(item.name);
  const read = { ...(isElsewhere ? { path: item.source } : {}), ...recordedVersion(source.version) };
  return { name: item.name, keys, destination, source: read };
}

function verified(target: Target, version: Version, priorVersion: string | undefined): Copied {
  const { item, source, base } = target;
  return {
    outcome: { ...base, state: 'Verified', destination: placeOf(item, version, priorVersion) },
    pair: {
      name: item.name,
      source: item.source,
      sourceVersion: source.version,
      destination: item.destination,
      destinationVersion: version,
    },
  };
}

function placeOf(item: Item, version: Version, priorVersion: string | undefined): Place {
  const place = { path: item.destination, ...recordedVersion(version) };
  return priorVersion === undefined ? place : { ...place, priorVersion };
}

/**
 * The version to go back to that is on record for an adopted document: of this very version, or of the one that was
 * announced before a run that was killed could say that it wrote.
 */
function recordedPriorOf(context: RunContext, target: Target, found: Version): string | undefined {
  const prior = context.journal.prior.get(target.item.name);
  if (prior?.reason === 'WouldOverwrite') return undefined;
  const place = prior?.destination;
  if (place?.priorVersion === undefined || place.path !== target.item.destination) return undefined;
  const isOfThis = place.version === found.revision;
  const wasAnnounced = place.version === undefined && place.priorVersion !== found.revision;
  return isOfThis || wasAnnounced ? place.priorVersion : undefined;
}

/** Left as it is, and why; a document that is deliberately left alone is no failure and is not tried again. */
function kept(target: Target, step: Extract<Step, { kind: 'keep' }>): Copied {
  return { outcome: { ...target.base, state: 'Skipped', reason: step.reason, message: step.message } };
}

/** Says what will be overwritten, before it is; only of a dry run is it known that nobody did. */
function announcing(
  target: Target,
  step: Extract<Step, { kind: 'replace' }>,
  reason: 'WouldOverwrite' | 'WillOverwrite',
): Outcome {
  const destination = { path: target.item.destination, priorVersion: step.version.revision };
  return { ...target.base, destination, state: 'Pending', reason };
}

function conflict(target: Target, step: Extract<Step, { kind: 'conflict' }>): Copied {
  return {
    outcome: {
      ...target.base,
      state: 'Conflict',
      reason: step.reason,
      message: step.message,
      retry: 'later',
    },
  };
}

function dryRunOutcome(target: Target, step: Step): Copied {
  if (step.kind === 'conflict') return conflict(target, step);
  if (step.kind === 'keep') return kept(target, step);
  if (step.kind === 'replace') return { outcome: announcing(target, step, 'WouldOverwrite') };
  const reason = step.kind === 'create' ? 'WouldCreate' : 'WouldAdopt';
  return { outcome: { ...target.base, state: 'Pending', reason } };
}

/** Reads exactly the version that was written and compares it. The read, not the write's reply, is the proof. */
async function readBack(
  context: RunContext,
  target: Target,
  version: Version,
  priorVersion: string | undefined,
): Promise<Copied> {
  const written: Target = {
    ...target,
    base: { ...target.base, destination: placeOf(target.item, version, priorVersion) },
  };
  try {
    const found = await context.destination.read(target.item.destination, context.signal, version.revision);
    if (found.state !== 'present' || found.document.version.revision !== version.revision) {
      throw new OperatorError('VERSION_CONFLICT', { op: 'engine.verify', target: target.item.destination });
    }
    if (!sameFields(target.wanted, found.document) || !sameAttributes(target.wanted, found.document)) {
      throw new OperatorError('VERIFY_MISMATCH', { op: 'engine.verify', target: target.item.destination });
    }
    const policy = context.intent.policyOf(target.item.name);
    const shortcoming = shortcomingOf(policy, observationOf(context, target, found));
    if (shortcoming !== undefined) return conflict(written, shortcoming);
    return verified(target, found.document.version, priorVersion);
  } catch (failure) {
    if (isAbort(failure, context.signal)) throw failure;
    return { outcome: failedOutcome(written.base, failure, 'Copied'), failure };
  }
}

/** A write that was sent and may or may not have happened. */
interface Undecided {
  readonly error: OperatorError;
  /** What it would have overwritten. */
  readonly priorVersion: string | undefined;
}

/** The version written, or why the world must be looked at again before anything else is done. */
async function writeOnce(
  context: RunContext,
  target: Target,
  expect: Expectation,
): Promise<Version | OperatorError> {
  try {
    return await context.destination.write(target.wanted, expect, context.signal);
  } catch (failure) {
    const error = errorOf(failure);
    if (error.indeterminate || error.code === 'ALREADY_EXISTS' || error.code === 'VERSION_CONFLICT') {
      context.logger.debug('write undecided, reading again', {
        path: target.item.destination,
        code: error.code,
      });
      return error;
    }
    throw failure;
  }
}

/** Where this step writes, and over what; undefined when it does not, or must be announced first. */
function expectationOf(step: Step, announced: string | undefined): Expectation | undefined {
  if (step.kind === 'create') return 'absent';
  return step.kind === 'replace' && step.version.revision === announced ? step.version : undefined;
}

/** The end of a document for which nothing is to be written now. */
function settle(context: RunContext, target: Target, step: Step, undecided: Undecided | undefined): Copied {
  if (step.kind === 'conflict') return conflict(target, step);
  if (step.kind === 'keep') return kept(target, step);
  if (step.kind === 'adopt') {
    const priorVersion = undecided?.priorVersion ?? recordedPriorOf(context, target, step.version);
    return verified(target, step.version, priorVersion);
  }
  if (step.kind === 'create') {
    throw new OperatorError('INVARIANT', { op: 'engine.copy', target: target.item.destination });
  }
  const outcome: Outcome = { ...announcing(target, step, 'WillOverwrite'), retry: 'soon' };
  return { outcome, awaitsOverwrite: step.version.revision };
}

function observationOf(context: RunContext, { wanted }: Target, destination: ReadResult): Observation {
  return { wanted, destination, attributesAreStated: context.destination.traits.statesAttributes };
}

/** Also does what a write of ours left to do that was cut off after its data. */
async function readDestination(context: RunContext, { item, wanted }: Target): Promise<ReadResult> {
  const { destination, intent, signal } = context;
  const found = await destination.read(item.destination, signal);
  if (found.state !== 'present' || found.document.unfinished === undefined || intent.dryRun) return found;
  if (sameFields(wanted, found.document)) {
    await destination.finish?.(item.destination, found.document.version, signal);
  }
  return found;
}

async function decideAndWrite(
  context: RunContext,
  target: Target,
  { known, announced }: CopyOptions,
): Promise<Copied> {
  let destination = known;
  let undecided: Undecided | undefined;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    destination ??= await readDestination(context, target);
    const policy = context.intent.policyOf(target.item.name);
    const step = planStep(policy, observationOf(context, target, destination));
    if (context.intent.dryRun) return dryRunOutcome(target, step);
    const expect = expectationOf(step, announced);
    if (expect === undefined) return settle(context, target, step, undecided);
    const priorVersion = expect === 'absent' ? undefined : expect.revision;
    const written = await writeOnce(context, target, expect);
    if (!(written instanceof OperatorError)) return readBack(context, target, written, priorVersion);
    undecided = { error: written, priorVersion };
    destination = undefined;
  }
  const never = new OperatorError('INVARIANT', { op: 'engine.copy', target: target.item.destination });
  throw undecided?.error ?? never;
}

/**
 * Copies and proves one document. Failures of this document become its outcome; only an abort is thrown.
 */
export async function copyDocument(
  context: RunContext,
  item: Item,
  source: StoredDocument,
  options: CopyOptions,
): Promise<Copied> {
  const base = baseOf(context, item, source, options.announced);
  try {
    const wanted = wantedAt(context.intent, item.destination, source);
    const refusal = context.destination.refusalOf(wanted);
    if (refusal !== undefined) return { outcome: { ...base, state: 'Failed', ...refusal, retry: 'later' } };
    return await decideAndWrite(context, { item, source, wanted, base }, options);
  } catch (failure) {
    if (isAbort(failure, context.signal)) throw failure;
    if (hasCode(failure, 'EXPIRED')) return { outcome: { ...base, ...EXPIRED } };
    return { outcome: failedOutcome(base, failure), failure };
  }
}
