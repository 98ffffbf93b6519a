import { provenVersion } from '#src/core/origin.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import { completing } from '../apply/run-permit.ts';

type Inputs = Pick<
  ApplyInputs,
  'claimedAs' | 'destination' | 'intent' | 'only' | 'permit' | 'prior' | 'signal'
>;

/**
 * Before a migration moves again what it had begun to take back: gives each copy whose removal was announced another version.
 * A removal that an earlier process prepared and did not send yet then fails, so no source is removed that relies on a copy
 * which still goes. Does nothing without such a row. Throws what the destination throws.
 */
export async function fenceAnnounced(inputs: Inputs): Promise<void> {
  if (inputs.intent.dryRun || inputs.only !== undefined) return;
  const { claimedAs, destination, permit } = inputs;
  const claimed: string[] = [];
  for (const prior of inputs.prior.values()) {
    const path = prior.reason === 'Undoing' ? prior.destination?.path : undefined;
    if (path !== undefined && (await fence(inputs, prior, path))) claimed.push(path);
  }
  const isOwn = (by: string): boolean => by === claimedAs;
  if (claimed.length > 0)
    await destination.claims?.release(isOwn, permit, async () => Promise.resolve(claimed));
}

/** True if the copy was claimed for that. */
async function fence(inputs: Inputs, prior: PriorRecord, path: string): Promise<boolean> {
  const { claimedAs, destination, permit, signal } = inputs;
  const found = await destination.read(path, signal);
  if (found.state !== 'present' || !isRecorded(provenVersion(prior), found.document.version)) return false;
  const { version } = found.document;
  if (destination.claims === undefined) await destination.write(found.document, version, completing(permit));
  else await destination.claims.claim(path, version, claimedAs, permit);
  return destination.claims !== undefined;
}
