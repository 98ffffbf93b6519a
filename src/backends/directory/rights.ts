import { access, constants } from 'node:fs/promises';
import type { Address } from '#src/core/document.ts';
import type { Need } from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { errnoOf, failedWith } from './failures.ts';
import type { Folder } from './folder.ts';
import { lstatOf } from './opened.ts';

const { R_OK, W_OK, X_OK } = constants;
const WIDTH = 8;

/** Asks the kernel, by access(2), which needs are denied. Changes nothing; at most one refusal per address. */
export async function findDenied(
  folder: Folder,
  needs: Iterable<Need>,
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

/** Denies all needs, because the folder itself cannot be opened. */
export function allDenied(needs: Iterable<Need>): ReadonlyMap<Address, Refusal> {
  return new Map(Array.from(needs, ({ address }) => [address, denied('open the folder')]));
}

function isChange(verb: Need['verbs'][number]): boolean {
  return verb !== 'read';
}

/** Removing a folder needs the right to remove its files first. */
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
    // A missing file needs no right of its own; the right to its folder was checked.
    if (failedWith(failure, 'ENOENT') || errnoOf(failure) === undefined) return undefined;
    return denied(failedWith(failure, 'EROFS') ? `${what}: the file system is mounted read-only` : what);
  }
}

function denied(what: string): Refusal {
  return { reason: 'PermissionDenied', message: `The operator has no permission to ${what}.` };
}
