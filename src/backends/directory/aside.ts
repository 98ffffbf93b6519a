import { link, rename, unlink } from 'node:fs/promises';
import type { Address } from '#src/core/document.ts';
import { attempt, conclude, conflict, transientFor, type Change } from './change.ts';
import { lookAt, sameContent, type Found } from './content.ts';
import { failedWith, failureOf } from './failures.ts';
import type { Folder } from './folder.ts';
import { transientName } from './names.ts';
import { lstatOf } from './opened.ts';
import { removeFlat } from './prepare.ts';

/** What was taken, and is exactly what was read. */
export interface Taken {
  readonly file: string;
  readonly shape: Found['shape'];
}

/**
 * Takes exactly one incarnation of the document and compares it with what was read. When it is another one it goes back,
 * and the change fails with `VERSION_CONFLICT`.
 */
export async function take(change: Change, expected: Found): Promise<Taken> {
  const { folder, address } = change;
  const file = transientFor(change, 'aside');
  change.signal.throwIfAborted();
  await attempt(change, async () => {
    try {
      await rename(folder.pathOf(address), folder.pathOf(file));
    } catch (failure) {
      throw failedWith(failure, 'ENOENT') ? conflict(change) : failure;
    }
  });
  if (await isStill(folder, file, expected)) return { file, shape: expected.shape };
  await conclude(change, async () => putBack(folder, address, file));
  throw conflict(change);
}

/** What cannot be looked at is not what was read. Times of its names have changed, and nothing else may have. */
async function isStill(folder: Folder, file: string, expected: Found): Promise<boolean> {
  try {
    const look = await lookAt(folder, file);
    if (look === 'absent' || look === 'torn') return false;
    return look.isPlain && look.marks === expected.marks && sameContent(look, expected);
  } catch {
    return false;
  }
}

/** Removes what was taken; when that is not possible it goes back. */
export async function drop(change: Change, taken: Taken): Promise<void> {
  const { folder, address, op } = change;
  const name = await decideToRemove(change, taken).catch(async (failure: unknown) => {
    await conclude(change, async () => putBack(folder, address, taken.file));
    // Another replica found it aside and put it back.
    if (failedWith(failure, 'ENOENT')) throw conflict(change);
    throw failureOf(failure, { op, target: address });
  });
  await finishRemoval(change, name);
}

/** Removes something that is no document, as it is now. */
export async function discard(change: Change, unwanted: Taken): Promise<void> {
  const name = await attempt(change, async () => decideToRemove(change, unwanted));
  await finishRemoval(change, name);
}

/** The one step from which on it is gone; resolves with the name of the folder that is left to be emptied. */
async function decideToRemove(change: Change, { file, shape }: Taken): Promise<string | undefined> {
  const { folder } = change;
  if (shape === 'file') {
    await unlink(folder.pathOf(file));
    return undefined;
  }
  const trash = transientFor(change, 'trash');
  await rename(folder.pathOf(file), folder.pathOf(trash));
  return trash;
}

async function finishRemoval(change: Change, trash: string | undefined): Promise<void> {
  const { folder } = change;
  await conclude(change, async () => {
    await folder.sync();
    if (trash === undefined) return;
    await removeFlat(folder, trash);
    await folder.sync();
  });
}

/**
 * Gives what is aside its name back. When that was taken meanwhile both stay: it gets a name under which nobody looks for
 * it again, so that it does not come back on the day on which the other one goes.
 */
export async function putBack(folder: Folder, address: Address, file: string): Promise<void> {
  const stats = await lstatOf(folder.pathOf(file));
  if (stats === undefined) return;
  const isBack = stats.isDirectory()
    ? await moveBack(folder, address, file)
    : await linkBack(folder, address, file);
  if (!isBack) await rename(folder.pathOf(file), folder.pathOf(keptNameOf(address, file)));
  await folder.sync();
}

/** With the same id: nothing else has that. */
function keptNameOf(address: Address, file: string): string {
  return transientName(address, 'kept', file.slice(file.lastIndexOf('-') + 1));
}

/** False when the name is taken. */
async function linkBack(folder: Folder, address: Address, file: string): Promise<boolean> {
  try {
    await link(folder.pathOf(file), folder.pathOf(address));
  } catch (failure) {
    if (failedWith(failure, 'EEXIST')) return false;
    // The kernel lets nobody link a file of somebody else that he may not write to (protected_hardlinks).
    return moveBack(folder, address, file);
  }
  await unlinkIfThere(folder.pathOf(file));
  return true;
}

/** Another replica may have put it back at the same moment. */
async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (failure) {
    if (!failedWith(failure, 'ENOENT')) throw failure;
  }
}

/** False when the name is taken; what could be overtaken between the look and the move is an empty folder. */
async function moveBack(folder: Folder, address: Address, file: string): Promise<boolean> {
  if ((await lstatOf(folder.pathOf(address))) !== undefined) return false;
  try {
    await rename(folder.pathOf(file), folder.pathOf(address));
    return true;
  } catch (failure) {
    if (failedWith(failure, 'EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR')) return false;
    throw failure;
  }
}
