import { sameCopy, type Outcome, type VerifiedPair } from '#src/core/outcome.ts';
import { isAbort } from '#src/errors.ts';
import { heldBy, type Held } from '../gates.ts';
import { ROW_TIME_RESOLUTION_MS, type ApplyInputs } from './inputs.ts';
import type { Copied } from './proof.ts';

/*
 * How long a proven copy must still stay before its source may go, and what its row says meanwhile.
 */

type Inputs = Pick<ApplyInputs, 'clock' | 'gates' | 'intent' | 'prior' | 'signal'>;

/**
 * Milliseconds that this copy must still soak; 0 or less when it is due. Counts from when an earlier run first recorded
 * this very copy (path, version, identity) as Verified, else from now: a copy that this run wrote is new, whatever version
 * it has. The journal counts from now too when another store answers (`JournalOptions.destinationStore`).
 */
export function soakLeft(
  { clock, intent: { soakMs }, prior }: Pick<Inputs, 'clock' | 'intent' | 'prior'>,
  outcome: Outcome,
): number {
  if (soakMs === 0) return 0;
  const record = prior.get(outcome.name);
  const isProven = record?.state === 'Verified' && outcome.copiedNow !== true;
  const isSame = isProven && sameCopy(record.destination, outcome.destination);
  return isSame ? record.since + ROW_TIME_RESOLUTION_MS + soakMs - clock.now() : soakMs;
}

/**
 * The row of a document before sources are removed: it says at once why the source of a proven one stays, so that no row
 * changes and changes back within a run.
 */
export async function rowBeforeRemoval(inputs: Inputs, { outcome, pair }: Copied): Promise<Outcome> {
  if (pair === undefined) return outcome;
  const { sourcePolicy } = inputs.intent.policyOf(pair.name);
  if (sourcePolicy === 'Keep') return outcome;
  if (soakLeft(inputs, outcome) > 0) return { ...outcome, reason: 'AwaitingSoak' };
  const held = sourcePolicy === 'Project' ? undefined : await heldNow(inputs, pair);
  return held === undefined ? outcome : { ...outcome, ...held };
}

/** What a stop keeps a gate from telling is not said: the copy is proven, and its row must not be lost with the question. */
async function heldNow({ gates, signal }: Inputs, pair: VerifiedPair): Promise<Held | undefined> {
  try {
    return await heldBy(gates, pair, { for: 'plan', signal });
  } catch (thrown) {
    if (isAbort(thrown, signal)) return undefined;
    throw thrown;
  }
}
