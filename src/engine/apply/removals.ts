import type { Address } from '#src/core/document.ts';
import { forEachConcurrently } from '#src/io/map-concurrently.ts';
import type { ApplyInputs } from './inputs.ts';
import type { Progress } from './progress.ts';
import { retireSource } from './retire.ts';
import { soakLeft } from './soak.ts';
import type { ProvenCopies } from './proven.ts';

/** Applies sourcePolicy to sources whose copies this run proved, after the record of the proof is durable. */
export async function retireSoaked(
  inputs: ApplyInputs,
  progress: Progress,
  proven: ProvenCopies,
): Promise<void> {
  const { intent, journal } = inputs;
  const soaksMs = intent.soakMs === 0 ? undefined : proven.keepDue((each) => soakLeft(inputs, each.outcome));
  if (soaksMs !== undefined) progress.awaitSoak(soaksMs);
  if (proven.size === 0 || progress.shouldStop()) return;
  await journal.flush();
  let keptSome = false;
  try {
    await forEachConcurrently(
      proven,
      async ({ pair, outcome }) => {
        const ended = await retireSource(inputs, pair, outcome);
        if (ended.state === 'Removed') inputs.onRemoved();
        else keptSome = true;
        await progress.record(ended);
      },
      { limit: () => limitOf(inputs), rest: inputs.rest, stop: () => progress.shouldStop() },
    );
  } catch (failure) {
    if (inputs.shouldStop()) await releaseOwnClaims(inputs, proven).catch(() => undefined); // The next run does, if it failed.
    throw failure;
  }
  if (keptSome) await releaseOwnClaims(inputs, proven);
}

/** Also after a stop: a claim is a label on an object of the user. */
async function releaseOwnClaims(
  { claimedAs, permit, source }: ApplyInputs,
  claimed: ProvenCopies,
): Promise<void> {
  const among = async (): Promise<Iterable<Address>> => Promise.resolve(claimed.sources());
  await source.claims?.release((by) => by === claimedAs, permit.toComplete, among);
}

/** The requests of a removal to one server, at most. */
const REQUESTS_OF_A_REMOVAL = 4;

/**
 * A removal reads source and destination again, so both limits apply. At a server with a quota its requests wait for each
 * other; with fewer removals at once, a proof is not too old when its turn comes.
 */
function limitOf({ concurrency, destination, source }: ApplyInputs): number {
  const most = Math.min(concurrency, destination.traits.concurrency, source.traits.concurrency);
  const isPaced = [source, destination].some((each) => each.acceptedPerSecond?.() !== undefined);
  return Math.max(1, Math.floor(isPaced ? most / REQUESTS_OF_A_REMOVAL : most));
}
