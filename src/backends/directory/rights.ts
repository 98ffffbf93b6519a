import { access, constants } from 'node:fs/promises';
import type { Address } from '#src/core/document.ts';
import type { Need, Refusal } from '../driver.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { errnoOf, failedWith } from './failures.ts';
import type { Folder } from './folder.ts';
import { lstatOf } from './opened.ts';

const { R_OK, W_OK, X_OK } = constants;
const WIDTH = 8;

/** What the kernel says that may not be done, by access(2) and without doing it; at most one refusal an address. */
export async function findDenied(
  folder: Folder,
  needs: readonly Need[],
): Promise<ReadonlyMap<Address, Refusal>> {
  const folderRefusal = await refusalOf(folder.pathOf(''), W_OK | X_OK, 'write to the folder');
  const refusals = new Map<Address, Refusal>();
  const answers = mapConcurrently(needs, WIDTH, async (need) => ({
    address: need.address,
    refusal:
      (need.verbs.some(isChange) ? folderRefusal : undefined) ?? (await documentRefusalOf(folder, need)),
  }));
  for await (const { address, refusal } of answers) {
    if (refusal !== undefined) refusals.set(address, refusal);
  }
  return refusals;
}

/** All of them, when not even the folder may be opened. */
export function allDenied(needs: readonly Need[]): ReadonlyMap<Address, Refusal> {
  return new Map(needs.map(({ address }) => [address, denied('open the folder')]));
}

function isChange(verb: Need['verbs'][number]): boolean {
  return verb !== 'read';
}

/** To remove a folder, what is in it must be removed first. */
async function documentRefusalOf(folder: Folder, { address, verbs }: Need): Promise<Refusal | undefined> {
  const path = folder.pathOf(address);
  const isFolder = (await lstatOf(path))?.isDirectory() === true;
  if (isFolder && (verbs.includes('delete') || verbs.includes('update')))
    return refusalOf(path, R_OK | W_OK | X_OK, 'change what is in this folder');
  return verbs.includes('read')
    ? refusalOf(path, isFolder ? R_OK | X_OK : R_OK, 'read this file')
    : undefined;
}

async function refusalOf(path: string, mode: number, what: string): Promise<Refusal | undefined> {
  try {
    await access(path, mode);
    return undefined;
  } catch (failure) {
    // What is not there needs no right to it; that of its folder was asked for.
    if (failedWith(failure, 'ENOENT') || errnoOf(failure) === undefined) return undefined;
    return denied(failedWith(failure, 'EROFS') ? `${what}: the file system is mounted read-only` : what);
  }
}

function denied(what: string): Refusal {
  return { reason: 'PermissionDenied', message: `The operator has no permission to ${what}.` };
}
