import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, opendir, type FileHandle } from 'node:fs/promises';
import type { Address } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Refusal } from '../refusal.ts';
import { failedWith } from './failures.ts';
import type { Folder } from './folder.ts';
import { leftoverOf } from './names.ts';
import { TOO_LARGE } from './refusals.ts';

/** Opening a FIFO does not wait for a writer. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
/** Linux: holds an inode without opening it, so that a device or FIFO notices nothing. Node has no name for it. */
const O_PATH = 0o10_000_000;

/** An open file or folder: what was checked on it stays true. */
export interface OpenedFile {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
  readonly isLink: boolean;
}

/**
 * Opens a name for reading. Follows a link if its target is in the folder. What the name leads to is held first, checked,
 * and only then opened, through what is held, because the path to it can change at any time. So nothing that is not a file
 * or folder, or not in the folder, is ever opened. `torn`: it changed between two steps.
 */
export async function openInside(
  folder: Folder,
  path: string,
  target: Address,
): Promise<OpenedFile | 'absent' | 'torn'> {
  const seen = await lstatOf(path);
  if (seen === undefined) return 'absent';
  const isLink = seen.isSymbolicLink();
  const held = await hold(path, isLink, target);
  if (held === 'torn') return 'torn';
  try {
    if (isLink && !(await folder.contains(held))) throw leadsElsewhere(target);
    const stats = await held.stat({ bigint: true });
    // It became a link since the lstat.
    if (stats.isSymbolicLink()) return 'torn';
    requireDocument(stats, target);
    const names = await namesElsewhere(folder, held);
    if (names === 'torn') return 'torn';
    if (names) throw hardLinked(target);
    return { handle: await open(`/proc/self/fd/${held.fd}`, READ_FLAGS), stats, isLink };
  } finally {
    await held.close();
  }
}

async function hold(path: string, isLink: boolean, target: Address): Promise<FileHandle | 'torn'> {
  try {
    return await open(path, isLink ? O_PATH : O_PATH | constants.O_NOFOLLOW);
  } catch (failure) {
    const isElsewhere = failedWith(failure, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG');
    if (isLink && isElsewhere) throw leadsElsewhere(target);
    if (failedWith(failure, 'ENOENT')) return 'torn'; // It is gone since the lstat.
    throw failure;
  }
}

/** One message for a link that leads out and one that leads nowhere: the difference tells what exists elsewhere. */
function leadsElsewhere(target: Address): OperatorError {
  return refused(
    target,
    'It is a symbolic link that does not lead to a file or folder in this folder.',
    'Replace the link with a file, or remove it.',
  );
}

function hardLinked(target: Address): OperatorError {
  return refused(
    target,
    'The file has another name (a hard link), which can be in the folder of another tenant.',
    'Replace the file with a copy of it.',
  );
}

/**
 * True if a file has a name (a hard link) that is not one of this folder. For a moment during a change, and after a crash
 * until recovery, a document has a second name that Keyferry gave it: a transient one, in this folder.
 */
async function namesElsewhere(folder: Folder, held: FileHandle): Promise<boolean | 'torn'> {
  const stats = await held.stat({ bigint: true });
  if (!stats.isFile() || stats.nlink <= 1n) return false;
  let known = 1n;
  for await (const { name } of await opendir(folder.pathOf(''))) {
    if (leftoverOf(name) === undefined) continue;
    const leftover = await lstatOf(folder.pathOf(name));
    if (leftover !== undefined && identityOf(leftover) === identityOf(stats)) known += 1n;
  }
  const { nlink } = await held.stat({ bigint: true });
  return nlink === stats.nlink ? nlink > known : 'torn';
}

/** Undefined if the name does not exist. */
export async function lstatOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (failure) {
    if (failedWith(failure, 'ENOENT')) return undefined;
    throw failure;
  }
}

function requireDocument(stats: BigIntStats, target: Address): void {
  if (stats.isFile() || stats.isDirectory()) return;
  throw refused(target, 'It is neither a file nor a folder.');
}

/** Refuses a file above `maxBytes`. */
export function requireSize({ size }: BigIntStats, maxBytes: number, target: Address): void {
  // One byte more than a value may have: a stripped newline is not part of the value.
  if (size > BigInt(maxBytes) + 1n) throw refusedBy(target, TOO_LARGE);
}

/** Reads the size that the file had when it was opened; refuses a file above `maxBytes`. */
export async function readBytes(
  { handle, stats }: OpenedFile,
  maxBytes: number,
  target: Address,
): Promise<Buffer | 'torn'> {
  requireSize(stats, maxBytes, target);
  const size = Number(stats.size);
  const bytes = Buffer.allocUnsafeSlow(size + 1);
  let length = 0;
  while (length <= size) {
    const { bytesRead } = await handle.read(bytes, length, size + 1 - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  const after = await handle.stat({ bigint: true });
  return length === size && after.ctimeNs === stats.ctimeNs ? bytes.subarray(0, size) : 'torn';
}

/** Identifies a file or folder for as long as it exists. */
export function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

export function refused(target: Address, detail: string, hint?: string): OperatorError {
  const advice = hint === undefined ? {} : { hint };
  return new OperatorError('DOCUMENT_REFUSED', { op: 'directory.read', target, detail, ...advice });
}

export function refusedBy(target: Address, refusal: Refusal): OperatorError {
  return refused(target, refusal.message);
}
