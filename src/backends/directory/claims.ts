import { link, rename, unlink } from 'node:fs/promises';
import type { Address } from '#src/core/document.ts';
import { attempt, conclude, conflict, transientFor, type Change } from './change.ts';
import { readOnce, sameContent, type Found } from './content.ts';
import { failedWith, failureOf } from './failures.ts';
import type { Folder } from './folder.ts';
import { transientName } from './names.ts';
import { lstatOf } from './opened.ts';
import { removeFlat } from './prepare.ts';

/** What a change has renamed to a transient name, so that no other program reaches it by its own name. */
export interface Claim {
  readonly file: string;
  readonly shape: Found['shape'];
}

/**
 * Claims exactly one incarnation of the document and compares it with what was read. If it differs, the claim is rolled
 * back and the change fails with `VERSION_CONFLICT`.
 */
export async function claim(change: Change, expected: Found): Promise<Claim> {
  const { folder, address } = change;
  const file = transientFor(change, 'aside');
  change.signal.throwIfAborted();
  change.permit.require();
  await attempt(change, async () => {
    try {
      await rename(folder.pathOf(address), folder.pathOf(file));
    } catch (failure) {
      throw failedWith(failure, 'ENOENT') ? conflict(change) : failure;
    }
  });
  if (await isStill(folder, file, expected)) return { file, shape: expected.shape };
  await conclude(change, async () => rollBack(folder, address, file));
  throw conflict(change);
}

/** False also when the claimed file cannot be read. Only the ctime may differ: the rename changes it. */
async function isStill(folder: Folder, file: string, expected: Found): Promise<boolean> {
  try {
    const snapshot = await readOnce(folder, file);
    if (snapshot === 'absent' || snapshot === 'torn') return false;
    return snapshot.isPlain && snapshot.marks === expected.marks && sameContent(snapshot, expected);
  } catch {
    return false;
  }
}

/** Removes what was claimed, or rolls the claim back when that fails. */
export async function commit(change: Change, claimed: Claim): Promise<void> {
  const { folder, address, op } = change;
  const name = await startRemoval(change, claimed).catch(async (failure: unknown) => {
    await conclude(change, async () => rollBack(folder, address, claimed.file));
    // Another replica rolled the claim back.
    if (failedWith(failure, 'ENOENT')) throw conflict(change);
    throw failureOf(failure, { op, target: address });
  });
  await finishRemoval(change, name);
}

/** Removes a file or folder that is not a document, such as a backup, in its current state. */
export async function discard(change: Change, unwanted: Claim): Promise<void> {
  const name = await attempt(change, async () => startRemoval(change, unwanted));
  await finishRemoval(change, name);
}

/** The commit point: after it the document is gone. Resolves with the name of a folder that is still to be emptied. */
async function startRemoval(change: Change, { file, shape }: Claim): Promise<string | undefined> {
  const { folder } = change;
  change.permit.require();
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
 * Gives a claimed document its name back. If another writer took the name meanwhile, both stay: the claimed one gets a
 * `kept` name, which recovery ignores, so that it does not come back when the other document is removed.
 */
export async function rollBack(folder: Folder, address: Address, file: string): Promise<void> {
  const stats = await lstatOf(folder.pathOf(file));
  if (stats === undefined) return;
  const isBack = stats.isDirectory()
    ? await renameBack(folder, address, file)
    : await linkBack(folder, address, file);
  if (!isBack) await rename(folder.pathOf(file), folder.pathOf(keptNameOf(address, file)));
  await folder.sync();
}

/** Reuses the id, which is unique. */
function keptNameOf(address: Address, file: string): string {
  return transientName(address, 'kept', file.slice(file.lastIndexOf('-') + 1));
}

/** False when the name is claimed. */
async function linkBack(folder: Folder, address: Address, file: string): Promise<boolean> {
  try {
    await link(folder.pathOf(file), folder.pathOf(address));
  } catch (failure) {
    if (failedWith(failure, 'EEXIST')) return false;
    // The kernel refuses a hard link to a file of another user without write access (protected_hardlinks).
    return renameBack(folder, address, file);
  }
  await unlinkIfThere(folder.pathOf(file));
  return true;
}

/** Another replica may have rolled it back at the same moment. */
async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (failure) {
    if (!failedWith(failure, 'ENOENT')) throw failure;
  }
}

/**
 * False when the name is taken. Between check and rename, a folder can replace a new empty folder. A file, which is
 * renamed only if it cannot be linked, can replace a new file.
 */
async function renameBack(folder: Folder, address: Address, file: string): Promise<boolean> {
  if ((await lstatOf(folder.pathOf(address))) !== undefined) return false;
  try {
    await rename(folder.pathOf(file), folder.pathOf(address));
    return true;
  } catch (failure) {
    if (failedWith(failure, 'EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR')) return false;
    throw failure;
  }
}
