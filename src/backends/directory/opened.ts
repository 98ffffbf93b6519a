import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import type { Address } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Refusal } from '../driver.ts';
import { failedWith } from './failures.ts';
import type { Folder } from './folder.ts';
import { TOO_LARGE } from './refusals.ts';

/** Opening a FIFO does not wait for a writer. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** An open file or folder: what was checked on it stays true. */
export interface OpenedFile {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
  readonly isLink: boolean;
}

/**
 * Opens a name for reading. Follows a link if its target is in the folder; this is checked on the opened file, because
 * the path to it can change at any time. `torn`: it changed between two steps.
 */
export async function openInside(
  folder: Folder,
  path: string,
  target: Address,
): Promise<OpenedFile | 'absent' | 'torn'> {
  const seen = await lstatOf(path);
  if (seen === undefined) return 'absent';
  const isLink = seen.isSymbolicLink();
  if (!isLink) requireDocument(seen, target);
  const handle = await openForReading(path, isLink, target);
  if (handle === 'torn') return 'torn';
  try {
    if (isLink && !(await folder.contains(handle))) {
      throw refused(target, 'It is a symbolic link that leads out of the folder.');
    }
    const stats = await handle.stat({ bigint: true });
    requireDocument(stats, target);
    return { handle, stats, isLink };
  } catch (failure) {
    await handle.close();
    throw failure;
  }
}

async function openForReading(path: string, isLink: boolean, target: Address): Promise<FileHandle | 'torn'> {
  try {
    return await open(path, isLink ? READ_FLAGS : READ_FLAGS | constants.O_NOFOLLOW);
  } catch (failure) {
    if (isLink && failedWith(failure, 'ENOENT', 'ENOTDIR', 'ELOOP')) {
      throw refused(target, 'It is a symbolic link that leads nowhere.');
    }
    // It changed since the lstat.
    if (failedWith(failure, 'ENOENT', 'ELOOP', 'ENXIO')) return 'torn';
    throw failure;
  }
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

/** Reads the size that the file had when it was opened; refuses a file above `maxBytes`. */
export async function readBytes(
  { handle, stats }: OpenedFile,
  maxBytes: number,
  target: Address,
): Promise<Buffer | 'torn'> {
  // One byte more than a value may have: a stripped newline is not part of the value.
  if (stats.size > BigInt(maxBytes) + 1n) throw refusedBy(target, TOO_LARGE);
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
