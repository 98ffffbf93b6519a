import type { WriteHint } from '#src/backends/hints.ts';
import type { Version } from '#src/core/document.ts';
import { originIn } from '#src/core/origin.ts';
import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { errorOf, hasCode, isAbort, OperatorError } from '#src/errors.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { EXPIRED, failedOutcome, noted } from '../failure.ts';
import type { Decision, TransferStep, Values } from '../plan/plan.ts';
import { withMissingRight, WRITING } from '../plan/rights.ts';
import { inTime } from './in-time.ts';
import type { ApplyInputs } from './inputs.ts';
import { make, type Made } from './make.ts';
import { verified, type Copied } from './proof.ts';
import { completing } from './run-permit.ts';
import { decideAgain, settled } from './settle.ts';
import { priorKept, readBack } from './verify.ts';

/**
 * Carries out the step of one document, up to its proof (docs/architecture.md, the protocol):
 *
 *   create     write, expecting absent                                → read back that version, compare → Verified
 *   adopt      write nothing; the plan read source and destination                                     → Verified
 *   overwrite  once the record of the version to roll back to is durable: write, expecting that version
 *              → read back, compare → read that version, which must still be there                     → Verified
 *
 * What a write that was cut off left at the destination is completed or undone first.
 *
 * After a write without a reply, or one that lost against another writer, it reads and decides again; it never repeats the
 * write blindly.
 */

/** Rounds of decide-and-write until the document waits for the next run. In each lost round another writer was faster. */
const MAX_ROUNDS = 3;

type Inputs = Pick<
  ApplyInputs,
  | 'approved'
  | 'intent'
  | 'destination'
  | 'gates'
  | 'isFirstRun'
  | 'prior'
  | 'clock'
  | 'logger'
  | 'permit'
  | 'signal'
>;

/** A write that was sent and may have been applied. */
interface Undecided {
  readonly error: OperatorError;
  /** The version that it overwrites. */
  readonly priorVersion: string | undefined;
}

/**
 * Carries out one decision. `announced` is the version whose overwrite is on record; no other version is overwritten.
 * A failure of this document becomes its outcome; only an abort is thrown.
 */
export async function carryOut(inputs: Inputs, decision: Decision, announced?: string): Promise<Copied> {
  try {
    const time = { ms: DEADLINES_MS.copy, op: 'engine.copy', target: decision.document.destination };
    const copied = await inTime(inputs, time, async (timed) => decideAndWrite(timed, decision, announced));
    return await explained(inputs, decision, copied);
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    const base = rowOf(decision);
    if (hasCode(failure, 'EXPIRED')) return { outcome: { ...base, ...EXPIRED } };
    return explained(inputs, decision, { outcome: failedOutcome(base, failure), failure });
  }
}

/** A refused write, or read of what was written, shows which right is missing. */
async function explained(
  { destination: reader, signal }: Pick<Inputs, 'destination' | 'signal'>,
  { document, failure: earlier, step }: Decision,
  copied: Copied,
): Promise<Copied> {
  const { failure, outcome } = copied;
  if (failure === undefined || earlier !== undefined) return copied;
  const verbs = step?.kind === 'overwrite' ? WRITING.update : WRITING.create;
  const need = { address: document.destination, verbs };
  return { ...copied, outcome: await withMissingRight(outcome, failure, { reader, need, signal }) };
}

async function decideAndWrite(
  given: Inputs,
  first: Decision,
  announced: string | undefined,
): Promise<Copied> {
  let inputs = given;
  let { decision, note } = await settled(inputs, first, announced);
  let undecided: Undecided | undefined;
  const hasFinished = first.left?.kind === 'finish';
  let hint = hintFor(first);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const write = writeOf(decision, announced);
    if (write === undefined) {
      const copied = await finishWithoutWrite(inputs, decision, { undecided, hasFinished });
      return note === undefined ? copied : { ...copied, outcome: noted(copied.outcome, note) };
    }
    const written = await writeOnce(inputs, write, hint);
    hint = undefined;
    // What became of the write is read also after a stop.
    inputs = { ...given, signal: given.permit.toComplete.signal };
    if (!(written instanceof OperatorError)) return prove(inputs, decision, write, written);
    undecided = { error: written, priorVersion: write.step.destination.version?.revision };
    const next = await decideAgain(inputs, decision, { source: write.values.source, announced });
    ({ decision, note } = await settled(inputs, next, announced));
  }
  throw undecided?.error ?? invariant(first);
}

/** What this run did before it found an equal document. */
interface Done {
  readonly undecided: Undecided | undefined;
  /** It completed a write that an earlier run was cut off in. */
  readonly hasFinished: boolean;
}

interface Write {
  readonly step: TransferStep;
  readonly values: Values;
}

/** What the listing of the destination tells of the first write. */
function hintFor({ document }: Decision): WriteHint | undefined {
  return document.isNew ? 'unlisted' : undefined;
}

/** What this decision writes now; undefined for nothing, or when the overwrite must be announced first. */
function writeOf({ step, values }: Decision, announced: string | undefined): Write | undefined {
  if (step === undefined || step.kind === 'report' || step.kind === 'adopt') return undefined;
  if (values === undefined) return undefined;
  if (step.kind === 'overwrite' && step.destination.version?.revision !== announced) return undefined;
  return { step, values };
}

/** What was written, or why the destination must be read again first. */
async function writeOnce(
  { destination, logger, permit }: Pick<Inputs, 'destination' | 'logger' | 'permit'>,
  { step, values }: Write,
  hint: WriteHint | undefined,
): Promise<Made | OperatorError> {
  const expect = step.destination.version ?? 'absent';
  try {
    return await make(destination, { desired: values.desired, expect, hint }, completing(permit));
  } catch (failure) {
    const error = errorOf(failure);
    if (!error.indeterminate && error.code !== 'ALREADY_EXISTS' && error.code !== 'VERSION_CONFLICT')
      throw failure;
    logger.debug('write undecided, reading again', { path: step.destination.address, code: error.code });
    return error;
  }
}

async function prove(
  { destination, intent, signal }: Pick<Inputs, 'intent' | 'destination' | 'signal'>,
  { document }: Decision,
  { step, values }: Write,
  made: Made,
): Promise<Copied> {
  const policy = intent.policyOf(document.name);
  const { row, source } = step;
  const priorVersion = step.kind === 'overwrite' ? step.destination.version?.revision : undefined;
  const written = { document, row, source, desired: values.desired, ...made, priorVersion, policy };
  const proven = await readBack(destination, written, signal);
  return step.kind === 'create' ? withOriginKnown(proven, true) : priorKept(destination, proven, signal);
}

/**
 * An earlier run was going to overwrite it and was killed, so nothing tells whether this version is its own: also after a run that
 * said something else of it.
 */
function wasAnnounced(prior: PriorRecord | undefined): boolean {
  const { priorVersion, version } = prior?.destination ?? {};
  return priorVersion !== undefined && version === undefined && prior?.reason !== 'WouldOverwrite';
}

/** Where an earlier run may have written it, nothing tells who created it. A dry run has written nothing. */
function wasThereBefore(prior: PriorRecord | undefined, isFirstRun = false): boolean {
  if (wasAnnounced(prior)) return true;
  return originIn(prior) === undefined && (isFirstRun || prior?.reason === 'WouldAdopt');
}

/** The row says whether this migration created the document: undoing it depends on that. */
function withOriginKnown(copied: Copied, created: boolean): Copied {
  const { destination } = copied.outcome;
  if (destination?.version === undefined) return copied;
  return { ...copied, outcome: { ...copied.outcome, destination: { ...destination, created } } };
}

/** The result for a document that needs no write now. */
async function finishWithoutWrite(
  { prior, destination, isFirstRun, signal }: Pick<Inputs, 'prior' | 'destination' | 'isFirstRun' | 'signal'>,
  decision: Decision,
  done: Done,
): Promise<Copied> {
  const { document, failure, step } = decision;
  if (step?.kind === 'report')
    return { outcome: step.outcome, ...(failure === undefined ? {} : { failure }) };
  const version = step?.destination.version;
  if (step === undefined || version === undefined) throw invariant(decision);
  if (step.kind === 'adopt') {
    const copied = await priorKept(destination, adopted(prior, decision, { step, version, ...done }), signal);
    const isOthers =
      copied.outcome.copiedNow !== true && wasThereBefore(prior.get(document.name), isFirstRun);
    return isOthers ? withOriginKnown(copied, false) : copied;
  }
  const outcome: Outcome = { ...announcing(step, 'WillOverwrite'), retry: 'soon' };
  return { outcome, awaitsOverwrite: version.revision };
}

/** The result for a document that is equal already; after a write without a clear reply, this run may have written it. */
function adopted(
  prior: Inputs['prior'],
  { document }: Decision,
  found: Done & { readonly step: TransferStep; readonly version: Version },
): Copied {
  const { hasFinished, step, undecided, version } = found;
  const priorVersion = undecided?.priorVersion ?? recordedPriorOf(prior.get(document.name), step, version);
  const copiedNow = undecided !== undefined || hasFinished;
  const transferred = { document, row: step.row, source: step.source };
  return verified(transferred, { version, priorVersion, copiedNow });
}

/** The row that announces an overwrite. With `WouldOverwrite` (a dry run) it is certain that none followed. */
export function announcing(
  { destination: { address: path, version }, row }: TransferStep,
  reason: 'WouldOverwrite' | 'WillOverwrite',
): Outcome {
  const destination = version === undefined ? { path } : { path, priorVersion: version.revision };
  return { ...row, destination, state: 'Pending', reason };
}

/**
 * The recorded version to roll back to for an adopted document: recorded with this version, or with an announcement of a
 * run that was killed before it could record its write.
 */
function recordedPriorOf(
  prior: PriorRecord | undefined,
  { destination }: TransferStep,
  found: Version,
): string | undefined {
  if (prior?.reason === 'WouldOverwrite') return undefined;
  const record = prior?.destination;
  if (record?.priorVersion === undefined || record.path !== destination.address) return undefined;
  const isOfThis = record.version === found.revision;
  const wasAnnounced = record.version === undefined && record.priorVersion !== found.revision;
  return isOfThis || wasAnnounced ? record.priorVersion : undefined;
}

/** The part of the outcome that is independent of the state. */
function rowOf({ document, step }: Decision): Omit<Outcome, 'state'> {
  if (step?.kind === 'report') return step.outcome;
  return step?.row ?? { name: document.name, keys: [] };
}

function invariant({ document }: Decision): OperatorError {
  return new OperatorError('INVARIANT', { op: 'engine.copy', target: document.destination });
}
