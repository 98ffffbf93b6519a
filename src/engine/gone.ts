import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { isAbort } from '#src/errors.ts';
import { forEachConcurrently } from './concurrency.ts';
import { failedOutcome } from './failure.ts';
import type { RunContext } from './run-context.ts';

/**
 * Documents that an earlier run recorded and the source no longer lists: removed by us after proof (perhaps by a run
 * that was killed before it could record it), or by somebody else. The destination is asked, never touched.
 */
export async function accountForGone(
  context: RunContext,
  names: readonly string[],
  settle: (outcome: Outcome) => Promise<void>,
): Promise<void> {
  await forEachConcurrently(
    names,
    async (name) => {
      const prior = context.journal.prior.get(name);
      if (prior !== undefined) await settle(await outcomeOfGone(context, prior));
    },
    { limit: context.concurrency, stop: () => context.shouldStop() },
  );
}

function wasProven(context: RunContext, prior: PriorRecord): boolean {
  return (
    prior.state === 'Removed' ||
    (prior.state === 'Verified' && context.intent.policy.sourcePolicy === 'Delete')
  );
}

async function outcomeOfGone(context: RunContext, prior: PriorRecord): Promise<Outcome> {
  const target = context.intent.route.destinationOf(prior.name, {});
  const path = prior.destination?.path ?? ('path' in target ? target.path : undefined);
  const base = {
    name: prior.name,
    keys: prior.keys,
    ...(path === undefined ? {} : { destination: { path } }),
  };
  if (!wasProven(context, prior) || path === undefined) {
    return {
      ...base,
      state: 'Skipped',
      reason: 'SourceGone',
      message: 'The source document was removed by somebody else.',
    };
  }
  try {
    const found = await context.destination.read(path, context.signal);
    if (found.state === 'present') {
      return { ...base, state: 'Removed', destination: { path, version: found.document.version.revision } };
    }
    return {
      ...base,
      state: 'Failed',
      reason: 'DestinationLost',
      message:
        'The source was removed after proof, and the destination no longer holds the document. Restore it from a snapshot or undelete it.',
      retry: 'later',
    };
  } catch (failure) {
    if (isAbort(failure, context.signal)) throw failure;
    return failedOutcome(base, failure);
  }
}
