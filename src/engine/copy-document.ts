import {
  sameAttributes,
  sameFields,
  type Document,
  type ReadResult,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import type { Outcome, VerifiedPair } from '#src/core/outcome.ts';
import { planStep, type Step } from '#src/core/plan.ts';
import { errorOf, isAbort, OperatorError } from '#src/errors.ts';
import { failedOutcome } from './failure.ts';
import type { Item } from './inventory.ts';
import type { RunContext } from './run-context.ts';

/**
 * One document, from its source bytes to proof (design.md §3):
 *
 *   destination absent   → write, expecting absent → read back that version, compare → Verified
 *   destination equal    → adopt, nothing is written                                 → Verified
 *   differs or deleted   → Conflict, untouched
 *
 * A write whose reply never came, or that lost against another writer, is followed by a read and a new decision; it is
 * never repeated blindly.
 */
export interface Copied {
  readonly outcome: Outcome;
  /** Set when source and destination were proven equal. */
  readonly pair?: VerifiedPair;
  /** What went wrong, for the run to tell a failed document from a failed backend. */
  readonly failure?: unknown;
}

/** Rounds of decide-and-write before giving up until the next run: each lost round means another writer was faster. */
const MAX_ROUNDS = 3;

interface Target {
  readonly item: Item;
  readonly source: StoredDocument;
  readonly wanted: Document;
  readonly base: Omit<Outcome, 'state'>;
}

function targetOf(item: Item, source: StoredDocument): Target {
  const wanted: Document = {
    address: item.destination,
    fields: source.fields,
    attributes: source.attributes,
  };
  const keys = [...source.fields.keys()].toSorted();
  return { item, source, wanted, base: { name: item.name, keys, destination: { path: item.destination } } };
}

function verified(target: Target, version: Version): Copied {
  const { item, source, base } = target;
  return {
    outcome: {
      ...base,
      state: 'Verified',
      destination: { path: item.destination, version: version.revision },
    },
    pair: {
      name: item.name,
      source: item.source,
      sourceVersion: source.version,
      destination: item.destination,
      destinationVersion: version,
    },
  };
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
  if (step.kind === 'conflict') return conflict(target, { ...step });
  const reason = step.kind === 'create' ? 'WouldCreate' : 'WouldAdopt';
  return { outcome: { ...target.base, state: 'Pending', reason } };
}

/** Reads exactly the version that was written and compares it. The read, not the write's reply, is the proof. */
async function readBack(context: RunContext, target: Target, version: Version): Promise<Copied> {
  const written: Target = {
    ...target,
    base: { ...target.base, destination: { path: target.item.destination, version: version.revision } },
  };
  try {
    const found = await context.destination.read(target.item.destination, context.signal, version.revision);
    if (found.state !== 'present' || found.document.version.revision !== version.revision) {
      throw new OperatorError('VERSION_CONFLICT', { op: 'engine.verify', target: target.item.destination });
    }
    if (!sameFields(target.wanted, found.document) || !sameAttributes(target.wanted, found.document)) {
      throw new OperatorError('VERIFY_MISMATCH', { op: 'engine.verify', target: target.item.destination });
    }
    return verified(target, found.document.version);
  } catch (failure) {
    if (isAbort(failure, context.signal)) throw failure;
    return { outcome: failedOutcome(written.base, failure, 'Copied'), failure };
  }
}

/** The version written, or why the world must be looked at again before anything else is done. */
async function writeOnce(context: RunContext, target: Target): Promise<Version | OperatorError> {
  try {
    return await context.destination.write(target.wanted, 'absent', context.signal);
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

async function decideAndWrite(
  context: RunContext,
  target: Target,
  known: ReadResult | undefined,
): Promise<Copied> {
  let destination = known;
  let undecided: OperatorError | undefined;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    destination ??= await context.destination.read(target.item.destination, context.signal);
    const attributesAreStated = context.destination.traits.statesAttributes;
    const step = planStep(context.intent.policy, { wanted: target.wanted, destination, attributesAreStated });
    if (context.intent.dryRun) return dryRunOutcome(target, step);
    if (step.kind === 'conflict') return conflict(target, step);
    if (step.kind === 'adopt') return verified(target, step.version);
    const written = await writeOnce(context, target);
    if (!(written instanceof OperatorError)) return readBack(context, target, written);
    undecided = written;
    destination = undefined;
  }
  throw undecided ?? new OperatorError('INVARIANT', { op: 'engine.copy', target: target.item.destination });
}

/**
 * Copies and proves one document. `known` is what the listing already tells of the destination (absent), or undefined.
 * Failures of this document become its outcome; only an abort is thrown.
 */
export async function copyDocument(
  context: RunContext,
  item: Item,
  source: StoredDocument,
  known: ReadResult | undefined,
): Promise<Copied> {
  const target = targetOf(item, source);
  const refusal = context.destination.refusalOf(target.wanted);
  if (refusal !== undefined)
    return { outcome: { ...target.base, state: 'Failed', ...refusal, retry: 'later' } };
  try {
    return await decideAndWrite(context, target, known);
  } catch (failure) {
    if (isAbort(failure, context.signal)) throw failure;
    return { outcome: failedOutcome(target.base, failure), failure };
  }
}
