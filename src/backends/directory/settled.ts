import { OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import { readOnce, type Found } from './content.ts';
import type { Folder } from './folder.ts';

/**
 * The clock of a file system advances in steps (4 to 10 ms): two changes within one step leave the same time, and so
 * the same version. If the last change is older than this, no later change can have the same time.
 */
export const SETTLED_MS = 50;
/** A document that changes during each of these reads has no state to move. */
const MAX_READS = 10;
const NS_PER_MS = 1_000_000n;

/** Milliseconds until no later change can have this time of the file system; 0 if none can already. */
export function unsettledMs(changedNs: bigint, clock: Clock): number {
  const ageMs = clock.now() - Number(changedNs / NS_PER_MS);
  // A time in the future is from another clock: wait the full time.
  return ageMs >= SETTLED_MS ? 0 : SETTLED_MS - Math.max(0, ageMs);
}

/**
 * The state of one name. Bytes and version belong together, and no other bytes have this version. Undefined if the name
 * does not exist. Throws `VERSION_CONFLICT` if it changes too fast to be read.
 */
export async function readSettled(
  folder: Folder,
  name: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Found | undefined> {
  let before: Found | undefined;
  for (let reads = 0; reads < MAX_READS; reads += 1) {
    signal.throwIfAborted();
    const snapshot = await readOnce(folder, name);
    if (snapshot === 'absent') return undefined;
    const found = snapshot === 'torn' ? undefined : snapshot;
    const waitMs = found === undefined ? SETTLED_MS : unsettledMs(found.changedNs, clock);
    if (found !== undefined && (waitMs === 0 || isStill(found, before))) return found;
    before = waitMs === SETTLED_MS ? found : undefined;
    await clock.sleep(waitMs, signal);
  }
  throw new OperatorError('VERSION_CONFLICT', {
    op: 'directory.read',
    target: name,
    detail: 'Another writer changed it during each read.',
  });
}

/** True if it did not change between two reads, whatever clock its times are from. */
function isStill({ version }: Found, before: Found | undefined): boolean {
  return version.revision === before?.version.revision && version.identity === before.version.identity;
}
