import type { Version } from '#src/core/document.ts';
import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { errorOf, hasCode, isAbort, OperatorError } from '#src/errors.ts';
import { EXPIRED, failedOutcome } from '../failure.ts';
import { decideDocument } from '../plan/decide.ts';
import type { Decision, TransferStep, Values } from '../plan/plan.ts';
import type { ApplyInputs } from './inputs.ts';
import { verified, type Copied } from './proof.ts';
import { readBack } from './verify.ts';

/**
 * Carries out the step of one document, up to proof (docs/architecture.md, the protocol):
 *
 *   create     write, expecting absent                                → read back that version, compare → Verified
 *   adopt      nothing is written; the plan read both sides                                            → Verified
 *   overwrite  once the record of the version to go back to is durable: write, expecting that version
 *              → read back, compare                                                                    → Verified
 *
 * A write whose reply never came, or that lost against another writer, is followed by a read and a new decision; it is
 * never repeated blindly.
 */

/** Rounds of decide-and-write before giving up until the next run: each lost round means another writer was faster. */
const MAX_ROUNDS = 3;

type Inputs = Pick<ApplyInputs, 'intent' | 'destination' | 'gates' | 'prior' | 'logger' | 'signal'>;

/** A write that was sent and may or may not have happened. */
interface Undecided {
  readonly error: OperatorError;
  /** What it would have overwritten. */
  readonly priorVersion: string | undefined;
}

/**
 * Carries out one decision. `announced` is the version whose overwrite is on record; no other one is overwritten.
 * Failures of this document become its outcome; only an abort is thrown.
 */
export async function carryOut(inputs: Inputs, decision: Decision, announced?: string): Promise<Copied> {
  try {
    return await decideAndWrite(inputs, decision, announced);
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    const base = rowOf(decision);
    if (hasCode(failure, 'EXPIRED')) return { outcome: { ...base, ...EXPIRED } };
    return { outcome: failedOutcome(base, failure), failure };
  }
}

async function decideAndWrite(
  inputs: Inputs,
  first: Decision,
  announced: string | undefined,
): Promise<Copied> {
  let decision = first;
  let undecided: Undecided | undefined;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    await finishWrite(inputs, decision);
    const write = writeOf(decision, announced);
    if (write === undefined) return finishWithoutWrite(inputs.prior, decision, undecided);
    const written = await writeOnce(inputs, write);
    if (!(written instanceof OperatorError)) return prove(inputs, decision, write, written);
    undecided = { error: written, priorVersion: write.step.destination.version?.revision };
    decision = await decideDocument(inputs, decision.document, write.values.source, {
      known: undefined,
      announced,
    });
  }
  throw undecided?.error ?? invariant(first);
}

/** Does what a write of ours left to do that was cut off after its data. */
async function finishWrite(
  { destination, signal }: Pick<Inputs, 'destination' | 'signal'>,
  { document, unfinished }: Decision,
): Promise<void> {
  if (unfinished !== undefined) await destination.finish?.(document.destination, unfinished, signal);
}

interface Write {
  readonly step: TransferStep;
  readonly values: Values;
}

/** What this decision writes now; undefined when nothing, or when the overwrite must be announced first. */
function writeOf({ step, values }: Decision, announced: string | undefined): Write | undefined {
  if (step === undefined || step.kind === 'report' || step.kind === 'adopt') return undefined;
  if (values === undefined) return undefined;
  if (step.kind === 'overwrite' && step.destination.version?.revision !== announced) return undefined;
  return { step, values };
}

/** The version written, or why the destination must be read again before anything else is done. */
async function writeOnce(
  { destination, logger, signal }: Pick<Inputs, 'destination' | 'logger' | 'signal'>,
  { step, values }: Write,
): Promise<Version | OperatorError> {
  try {
    return await destination.write(values.desired, step.destination.version ?? 'absent', signal);
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
  version: Version,
): Promise<Copied> {
  const policy = intent.policyOf(document.name);
  const { row, source } = step;
  const priorVersion = step.destination.version?.revision;
  const copy = { desired: values.desired, version, priorVersion, policy };
  return readBack(destination, { document, row, sourceVersion: source.version, ...copy }, signal);
}

/** The end of a document for which nothing is to be written now. */
function finishWithoutWrite(
  prior: Inputs['prior'],
  decision: Decision,
  undecided: Undecided | undefined,
): Copied {
  const { document, failure, step } = decision;
  if (step?.kind === 'report')
    return { outcome: step.outcome, ...(failure === undefined ? {} : { failure }) };
  const version = step?.destination.version;
  if (step === undefined || version === undefined) throw invariant(decision);
  if (step.kind === 'adopt') {
    const record = prior.get(document.name);
    const priorVersion = undecided?.priorVersion ?? recordedPriorOf(record, step, version);
    const { row, source } = step;
    return verified({ document, row, sourceVersion: source.version }, { version, priorVersion });
  }
  const outcome: Outcome = { ...announcing(step, 'WillOverwrite'), retry: 'soon' };
  return { outcome, awaitsOverwrite: version.revision };
}

/** Says what will be overwritten, before it is; only of a dry run is it known that nobody did. */
export function announcing(
  { destination: { address: path, version }, row }: TransferStep,
  reason: 'WouldOverwrite' | 'WillOverwrite',
): Outcome {
  const place = version === undefined ? { path } : { path, priorVersion: version.revision };
  return { ...row, destination: place, state: 'Pending', reason };
}

/**
 * The version to go back to that is on record for an adopted document: of this very version, or of the one that was
 * announced before a run that was killed could say that it wrote.
 */
function recordedPriorOf(
  record: PriorRecord | undefined,
  { destination }: TransferStep,
  found: Version,
): string | undefined {
  if (record?.reason === 'WouldOverwrite') return undefined;
  const place = record?.destination;
  if (place?.priorVersion === undefined || place.path !== destination.address) return undefined;
  const isOfThis = place.version === found.revision;
  const wasAnnounced = place.version === undefined && place.priorVersion !== found.revision;
  return isOfThis || wasAnnounced ? place.priorVersion : undefined;
}

/** What every row of this document says. */
function rowOf({ document, step }: Decision): Omit<Outcome, 'state'> {
  if (step?.kind === 'report') return step.outcome;
  return step?.row ?? { name: document.name, keys: [] };
}

function invariant({ document }: Decision): OperatorError {
  return new OperatorError('INVARIANT', { op: 'engine.copy', target: document.destination });
}
