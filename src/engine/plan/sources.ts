import type { ReadResult, StoredDocument } from '#src/core/document.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { isForbiddenType, typeIsSelected } from '#src/core/selection.ts';
import { isAbort } from '#src/errors.ts';
import { EXPIRED, failedOutcome } from '../failure.ts';
import { decideDocument, type DecideOptions } from './decide.ts';
import { fallbackHasEnded, readFallback } from './fallback.ts';
import type { PlanInputs } from './inputs.ts';
import { SOURCE_MISSING } from './missing.ts';
import type { Decision, PlannedDocument, Reads } from './plan.ts';
import { outcomeOfRemoved } from './unlisted.ts';

/*
 * Decides for one document from what was read at its source. This is the first code that gets the bytes of the source; it
 * reads the destination only if there is something to compare.
 */

/** Decides for one document whose source was just read. Throws only an abort. */
export async function decideSource(
  inputs: PlanInputs,
  document: PlannedDocument,
  { atDestination, read }: Reads,
): Promise<Decision> {
  if ('error' in read) return failed(inputs, document, read.error);
  const { result } = read;
  if (result.state === 'present') return decideSelected(inputs, document, result.document, atDestination);
  return decideUnavailable(inputs, document, { found: result, atDestination });
}

type Unavailable = Exclude<ReadResult, { state: 'present' }>;

/** The source is absent or deleted: removed by us, at its old address, or missing. */
async function decideUnavailable(
  inputs: PlanInputs,
  document: PlannedDocument,
  { atDestination, found }: Pick<Reads, 'atDestination'> & { readonly found: Unavailable },
): Promise<Decision> {
  const removed = await outcomeOfRemoved(inputs, document.name, {
    path: document.destination,
    found: atDestination,
  });
  if (removed !== undefined) return report(document, removed);
  try {
    const old = found.state === 'absent' ? await readFallback(inputs, document) : undefined;
    if (old === undefined) return report(document, unreadable(inputs, document, found));
    return await decideSelected(inputs, old.document, old.stored);
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    return failed(inputs, document, failure);
  }
}

/** What the listing of the destination shows for this document, or a read of it found. */
function knownOf({ isNew }: PlannedDocument, atDestination: Reads['atDestination']): DecideOptions {
  return { known: isNew ? { state: 'absent' } : atDestination };
}

async function decideSelected(
  inputs: PlanInputs,
  document: PlannedDocument,
  stored: StoredDocument,
  atDestination?: Reads['atDestination'],
): Promise<Decision> {
  const { selection } = inputs.intent;
  const { type } = stored.attributes;
  if (typeIsSelected(selection, type))
    return decideDocument(inputs, document, stored, knownOf(document, atDestination));
  if (!isForbiddenType(selection, type)) return { document, step: undefined, leftOut: 'ExcludedType' };
  return report(document, forbidden(inputs, document));
}

function report(document: PlannedDocument, outcome: Outcome): Decision {
  return { document, step: { kind: 'report', outcome } };
}

function failed(inputs: Pick<PlanInputs, 'prior'>, document: PlannedDocument, failure: unknown): Decision {
  return { ...report(document, failedOutcome(baseOf(inputs, document), failure)), failure };
}

/** What an earlier run read, and where, stays recorded while the source cannot be read: see wasReadUnderItsName. */
function baseOf({ prior }: Pick<PlanInputs, 'prior'>, document: PlannedDocument): Omit<Outcome, 'state'> {
  const { keys = [], source } = prior.get(document.name) ?? {};
  return {
    name: document.name,
    keys,
    destination: { path: document.destination },
    ...(source === undefined ? {} : { source }),
  };
}

/** The row of a document before it is read. */
export function pending(inputs: Pick<PlanInputs, 'prior'>, document: PlannedDocument): Outcome {
  return { ...baseOf(inputs, document), state: 'Pending', retry: 'soon' };
}

/** A path of KV can have metadata and no version; a document can also go between the listing and the read. */
const LISTED_WITHOUT_VALUE =
  'The source is listed and has no value: it was deleted, or it has only metadata. Write a value, delete the metadata, or exclude the document.';

function forbidden(inputs: Pick<PlanInputs, 'prior'>, document: PlannedDocument): Outcome {
  const message =
    'Secrets of this type are never migrated, because they grant rights. Remove it from spec.select.names.';
  return { ...baseOf(inputs, document), state: 'Failed', reason: 'TypeRefused', message, retry: 'later' };
}

function unreadable(
  inputs: Pick<PlanInputs, 'prior' | 'intent' | 'clock'>,
  document: PlannedDocument,
  found: Unavailable,
): Outcome {
  const base = baseOf(inputs, document);
  if (found.state === 'absent') {
    const addition = fallbackHasEnded(inputs);
    const isListed = inputs.intent.selection.scope.by !== 'names';
    const said = isListed ? LISTED_WITHOUT_VALUE : SOURCE_MISSING.message;
    const message = [said, addition].filter((part) => part !== undefined).join(' ');
    return { ...base, state: 'Failed', ...SOURCE_MISSING, message, retry: 'later' };
  }
  if (found.expired === true) return { ...base, ...EXPIRED };
  return {
    ...base,
    state: 'Skipped',
    reason: 'SourceDeleted',
    message: `The newest version of the source (${found.version.revision}) is deleted, and older ones are never copied. Undelete it, write a new version, or exclude the document.`,
    retry: 'later',
  };
}
