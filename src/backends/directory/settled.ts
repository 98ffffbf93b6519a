import { OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import { lookAt, type Found } from './content.ts';
import type { Folder } from './folder.ts';

/**
 * The clock of a file system moves on in steps (4 to 10 ms): two changes within one step leave the same time, and with it
 * the same version. What changed longer ago than this has a time that no later change can have again.
 */
export const SETTLED_MS = 50;
/** What is written to all the time has no state that could be moved. */
const MAX_LOOKS = 10;
const NS_PER_MS = 1_000_000n;

/** Milliseconds until a time of the file system can no longer be that of a later change; 0 when it cannot. */
export function unsettledMs(changedNs: bigint, clock: Clock): number {
  const ageMs = clock.now() - Number(changedNs / NS_PER_MS);
  // A time that is to come is one of another clock: then it takes as long as it can.
  return ageMs >= SETTLED_MS ? 0 : SETTLED_MS - Math.max(0, ageMs);
}

/**
 * The state of one name: bytes and version belong together, and the version is that of no other bytes. Undefined when
 * there is nothing. `VERSION_CONFLICT` when it changes too fast to be read.
 */
export async function readSettled(
  folder: Folder,
  name: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Found | undefined> {
  let before: Found | undefined;
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    signal.throwIfAborted();
    const look = await lookAt(folder, name);
    if (look === 'absent') return undefined;
    const found = look === 'torn' ? undefined : look;
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

/** It did not change for as long as it takes, by whatever clock its times are. */
function isStill({ version }: Found, before: Found | undefined): boolean {
  return version.revision === before?.version.revision && version.identity === before.version.identity;
}
