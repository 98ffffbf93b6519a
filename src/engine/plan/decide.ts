import type { Reader } from '#src/backends/driver.ts';
import type { Refusal } from '#src/backends/refusal.ts';
import { decideStep, type Observation, type Policy, type Step } from '#src/core/checks.ts';
import {
  sameFields,
  tiesOf,
  type Document,
  type ReadResult,
  type StoredDocument,
} from '#src/core/document.ts';
import { recordedVersion, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import { isAbort } from '#src/errors.ts';
import { failedOutcome } from '../failure.ts';
import { heldBy, type RemovalCandidate } from '../gates.ts';
import { asApproved } from './approved.ts';
import { desiredBeside, desiredDocument, reflecting } from './desired-document.ts';
import type { PlanInputs } from './inputs.ts';
import { lossOf } from './metadata-loss.ts';
import { withMissingRight } from './rights.ts';
import type { Decision, Left, PlannedDocument, PlannedStep, Removal } from './plan.ts';

/*
 * Decides for one document whose source was read: reads the destination and chooses the step. Changes nothing.
 */

type Inputs = Pick<PlanInputs, 'approved' | 'intent' | 'destination' | 'gates' | 'prior' | 'signal'>;

export interface DecideOptions {
  /** The state of the destination if the listing shows it (absent); undefined: it is read. */
  readonly known: ReadResult | undefined;
  /** The version whose overwrite is on record. Every outcome names it until the overwrite certainly did not happen. */
  readonly announced?: string | undefined;
}

/**
 * Chooses the step for one document; under an approved plan, only a step that the plan has. A failure of this document becomes
 * its step; only an abort is thrown.
 */
export async function decideDocument(
  inputs: Inputs,
  document: PlannedDocument,
  source: StoredDocument,
  options: DecideOptions,
): Promise<Decision> {
  const decision = await decideFreely(inputs, document, source, options);
  return inputs.intent.dryRun ? decision : asApproved(decision, inputs.approved);
}

async function decideFreely(
  inputs: Inputs,
  document: PlannedDocument,
  source: StoredDocument,
  options: DecideOptions,
): Promise<Decision> {
  const { destination, intent, signal } = inputs;
  const base = baseOf(document, source, { intent, announced: options.announced });
  const report = (outcome: Outcome, failure?: unknown): Decision => ({
    document,
    step: { kind: 'report', outcome },
    ...(failure === undefined ? {} : { failure }),
  });
  if (source.unfinished === true) return report({ ...base, ...SOURCE_UNFINISHED });
  try {
    const wanted = desiredDocument(inputs, document, source);
    const { refusal } = wanted;
    if (refusal !== undefined) return report({ ...base, state: 'Failed', ...refusal, retry: 'later' });
    const found = options.known ?? (await destination.read(document.destination, signal));
    const beside = desiredBeside(inputs, document, { desired: wanted, found });
    const { lost } = beside;
    const desired = { ...beside.document, ...reflecting(intent, source) };
    const policy = intent.policyOf(document.name);
    const step =
      afterUndo(inputs.prior.get(document.name), found) ??
      decideStep(policy, observe(destination, desired, found));
    const left = leftIn(desired, found);
    const gone = step.kind === 'overwrite' ? await overwriteRefusal(inputs, document) : undefined;
    if (gone !== undefined) {
      const outcome: Outcome = { ...base, state: 'Failed', ...gone, retry: 'later' };
      return { ...report(outcome), values: { source, desired }, ...left };
    }
    const removal = await removalOf(inputs, { ...document, ties: tiesOf(source) }, policy);
    const planned = plannedStep(document, step, { base: { ...base, ...lossOf(lost) }, source, removal });
    return { document, step: planned, values: { source, desired }, ...left };
  } catch (failure) {
    if (isAbort(failure, signal)) throw failure;
    return report(await unread(inputs, document, { base, failure }), failure);
  }
}

/** The row of a document whose destination could not be read. */
async function unread(
  { destination: reader, signal }: Pick<Inputs, 'destination' | 'signal'>,
  { destination: address }: PlannedDocument,
  { base, failure }: { readonly base: Omit<Outcome, 'state'>; readonly failure: unknown },
): Promise<Outcome> {
  const need = { address, verbs: ['read'] } as const;
  return withMissingRight(failedOutcome(base, failure), failure, { reader, need, signal });
}

/** Taking the migration back deleted the copy, in a store that keeps deleted versions: no other writer did. */
function afterUndo(prior: PriorRecord | undefined, found: ReadResult): Step | undefined {
  if (prior?.reason !== 'Undone' || found.state !== 'deleted') return undefined;
  return isRecorded(prior.destination, found.version)
    ? { kind: 'create', version: found.version }
    : undefined;
}

/** What is compared: the desired document and what was read at the destination. */
export function observe(destination: Reader, desired: Document, found: ReadResult): Observation {
  return { desired, destination: found, attributesAreStated: destination.traits.statesAttributes };
}

function baseOf(
  document: PlannedDocument,
  source: StoredDocument,
  { intent, announced }: Pick<PlanInputs, 'intent'> & { readonly announced: string | undefined },
): Omit<Outcome, 'state'> {
  const keys = [...source.fields.keys()].toSorted();
  const priorVersion = announced === undefined ? {} : { priorVersion: announced };
  const isAtOldAddress = document.source !== intent.route.sourceOf(document.name);
  return {
    name: document.name,
    keys,
    destination: { path: document.destination, ...priorVersion },
    source: { ...(isAtOldAddress ? { path: document.source } : {}), ...recordedVersion(source.version) },
  };
}

/** What holds a removal is asked for a plan that is shown. A run asks once the copy is proven, and no copy waits for that. */
async function removalOf(
  { gates, intent, signal }: Pick<PlanInputs, 'gates' | 'intent' | 'signal'>,
  document: RemovalCandidate,
  { sourcePolicy }: Policy,
): Promise<Removal | undefined> {
  if (sourcePolicy === 'Keep') return undefined;
  // A projection removes nothing.
  const isAsked = intent.dryRun && sourcePolicy !== 'Project';
  const held = isAsked ? await heldBy(gates, document, { for: 'plan', signal }) : undefined;
  return held === undefined ? { policy: sourcePolicy } : { policy: sourcePolicy, held };
}

function plannedStep(
  document: PlannedDocument,
  step: Step,
  known: {
    readonly base: Omit<Outcome, 'state'>;
    readonly source: StoredDocument;
    readonly removal: Removal | undefined;
  },
): PlannedStep {
  const { base, removal, source } = known;
  if (step.kind === 'conflict' || step.kind === 'keep')
    return { kind: 'report', outcome: leaveDestination(base, step) };
  return {
    kind: step.kind,
    row: base,
    source: {
      address: document.source,
      version: source.version,
      ties: tiesOf(source),
      ...(source.isLeaving === undefined ? {} : { isLeaving: source.isLeaving }),
    },
    destination: {
      address: document.destination,
      version: step.version,
    },
    ...(step.kind === 'overwrite' ? { reason: step.reason } : {}),
    ...(removal === undefined ? {} : { removal }),
  };
}

/** The outcome when the destination stays as it is: a conflict is retried, a document that the spec keeps is not. */
export function leaveDestination(
  base: Omit<Outcome, 'state'>,
  { kind, reason, message }: Extract<Step, { kind: 'conflict' | 'keep' }>,
): Outcome {
  return kind === 'keep'
    ? { ...base, state: 'Skipped', reason, message }
    : { ...base, state: 'Conflict', reason, message, retry: 'later' };
}

/** What a write that was cut off left. A version that is not certain is ours only if it has the same keys and bytes. */
export function leftIn(desired: Document, found: ReadResult): { readonly left?: Left } {
  if (found.state === 'absent') return {};
  if (found.state === 'deleted') {
    return found.prepared === true ? { left: { kind: 'undo', version: found.version } } : {};
  }
  const { document } = found;
  if (document.unfinished === undefined && document.prepared === undefined) return {};
  const isOurs = document.unfinished === true && sameFields(desired, document);
  return { left: { kind: isOurs ? 'finish' : 'undo', version: document.version } };
}

/** Why the version that would be overwritten would not stay readable; undefined if it would. */
async function overwriteRefusal(
  { destination, signal }: Pick<PlanInputs, 'destination' | 'signal'>,
  document: PlannedDocument,
): Promise<Refusal | undefined> {
  return destination.overwriteRefusal?.(document.destination, signal);
}

/** The row of a document whose own write was cut off. */
export const SOURCE_UNFINISHED = {
  state: 'Failed',
  reason: 'SourceUnfinished',
  message:
    'A write of the source was cut off, so its bytes are not certain. Run the migration that wrote it again, or check the value and remove its keyferry-* custom metadata.',
  retry: 'later',
} as const satisfies Pick<Outcome, 'state' | 'reason' | 'message' | 'retry'>;
