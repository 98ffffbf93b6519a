import {
  keepsAttributes,
  sameFields,
  sameVersion,
  type ReadResult,
  type StoredDocument,
} from '#src/core/document.ts';
import type { Outcome, VerifiedPair } from '#src/core/outcome.ts';
import { errorOf, isAbort } from '#src/errors.ts';
import { failedOutcome, reasonOf } from './failure.ts';
import type { RunContext } from './run-context.ts';

/**
 * Removes the source of one verified document (design.md §3, last lines):
 *
 *   trust root?  → stays
 *   read both sides again, still the versions that were verified and still equal
 *   → delete the source with its identity and version as precondition → Removed
 *
 * Whatever is not exactly as verified leaves the source alone and sends the document back to the next run.
 */
export async function removeSource(context: RunContext, pair: VerifiedPair, base: Outcome): Promise<Outcome> {
  const holder = context.trustRootOf(pair.name);
  if (holder !== undefined) {
    const message = `Kept at the source: ${holder} reads its credentials from this Secret.`;
    return { ...base, state: 'Verified', reason: 'TrustRoot', message };
  }
  try {
    return await proveAndDelete(context, pair, base);
  } catch (failure) {
    if (isAbort(failure, context.signal)) throw failure;
    return failedOutcome(base, failure, 'Verified');
  }
}

function changed(base: Outcome, which: 'SourceChanged' | 'DestinationChanged'): Outcome {
  const side = which === 'SourceChanged' ? 'source' : 'destination';
  return {
    ...base,
    state: 'Pending',
    reason: which,
    message: `The ${side} changed after it was verified; nothing was removed, both are compared again.`,
    retry: 'soon',
  };
}

/** Unchanged since it was verified; where revisions are kept, the current one must still be that one. */
function stillVerified(
  found: ReadResult,
  expected: VerifiedPair['sourceVersion'],
): found is { state: 'present'; document: StoredDocument } {
  return found.state === 'present' && sameVersion(found.document.version, expected);
}

async function proveAndDelete(context: RunContext, pair: VerifiedPair, base: Outcome): Promise<Outcome> {
  const [source, destination] = await Promise.all([
    context.source.read(pair.source, context.signal),
    context.destination.read(pair.destination, context.signal),
  ]);
  if (!stillVerified(source, pair.sourceVersion)) return changed(base, 'SourceChanged');
  if (!stillVerified(destination, pair.destinationVersion)) return changed(base, 'DestinationChanged');
  const equal =
    sameFields(source.document, destination.document) &&
    keepsAttributes(source.document, destination.document);
  if (!equal) return changed(base, 'DestinationChanged');
  try {
    await context.source.delete(pair.source, pair.sourceVersion, context.signal);
  } catch (failure) {
    return afterFailedDelete(context, pair, base, failure);
  }
  return { ...base, state: 'Removed' };
}

/** A delete whose reply was lost is decided by looking: gone is removed, anything else waits for the next run. */
async function afterFailedDelete(
  context: RunContext,
  pair: VerifiedPair,
  base: Outcome,
  failure: unknown,
): Promise<Outcome> {
  const error = errorOf(failure);
  if (error.code === 'NOT_FOUND') return { ...base, state: 'Removed' };
  if (error.code === 'VERSION_CONFLICT') return changed(base, 'SourceChanged');
  if (!error.indeterminate) throw failure;
  const found = await context.source.read(pair.source, context.signal);
  if (found.state !== 'present') return { ...base, state: 'Removed' };
  return { ...base, state: 'Verified', reason: reasonOf(error), retry: 'soon' };
}
