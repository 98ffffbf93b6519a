import { constants } from 'node:fs';
import { open, readlink, type FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '#src/errors.ts';
import { failedWith, failureOf } from './failures.ts';

export interface FolderPlace {
  /** Operator flag --directory-root; the administrator may make it a link. */
  readonly root: string;
  /** The namespace and the segments of spec.directory.path: none of them may be a link. */
  readonly segments: readonly string[];
  /** spec.directory.allowWorldReadable. */
  readonly allowWorldReadable: boolean;
  /** Only the last folder must be closed to other users: those above it are a home or a project. */
  readonly isPersonal: boolean;
}

/** Permission bits of users who are neither owner nor in the group. */
const OTHERS = 0o007n;
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;

/** The absolute path, for messages and as the key of the lock within this process. */
export function pathOfPlace({ root, segments }: FolderPlace): string {
  return join(root, ...segments);
}

/** A path below an open folder, valid even if the folder moves: Linux offers it in place of `openat`. */
export function below(handle: FileHandle, name: string): string {
  return `/proc/self/fd/${handle.fd}/${name}`;
}

/** The real path of an open file or folder, with all links resolved. */
export async function realPathOf(handle: FileHandle): Promise<string> {
  return readlink(`/proc/self/fd/${handle.fd}`);
}

/**
 * The open folder of one backend. Everything in it is reached through the handle, so that no other program can place a
 * link between a check and its use.
 */
export class Folder implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /**
   * Opens the folders from the root down, one after the other. Throws `FOLDER_MISSING` if one does not exist or is a
   * link, and `FOLDER_EXPOSED` if one has permissions for other users and allowWorldReadable is not set.
   */
  static async open(place: FolderPlace): Promise<Folder> {
    let path = place.root;
    let left = place.segments.length;
    const mayBeExposed = (): boolean => place.allowWorldReadable || (place.isPersonal && left > 0);
    let handle = await openChecked(path, path, { flags: FOLDER_FLAGS, mayBeExposed: mayBeExposed() });
    for (const segment of place.segments) {
      left -= 1;
      path = join(path, segment);
      const parent = handle;
      try {
        const flags = FOLDER_FLAGS | constants.O_NOFOLLOW;
        handle = await openChecked(below(parent, segment), path, { flags, mayBeExposed: mayBeExposed() });
      } finally {
        await parent.close();
      }
    }
    return new Folder(handle);
  }

  pathOf(name: string): string {
    return below(this.#handle, name);
  }

  async stat(): Promise<BigIntStats> {
    return this.#handle.stat({ bigint: true });
  }

  /** True if the opened file is in this folder or below it. */
  async contains(opened: FileHandle): Promise<boolean> {
    const [inner, outer] = await Promise.all([realPathOf(opened), realPathOf(this.#handle)]);
    return inner.startsWith(`${outer}/`);
  }

  /** Makes added and removed names survive a power failure. */
  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

async function openChecked(
  path: string,
  shown: string,
  { flags, mayBeExposed }: { readonly flags: number; readonly mayBeExposed: boolean },
): Promise<FileHandle> {
  const about = { op: 'directory.open', target: shown };
  let handle: FileHandle;
  try {
    handle = await open(path, flags);
  } catch (failure) {
    if (failedWith(failure, 'ENOENT')) throw new OperatorError('FOLDER_MISSING', about);
    if (!failedWith(failure, 'ENOTDIR', 'ELOOP')) throw failureOf(failure, about);
    throw new OperatorError('FOLDER_MISSING', {
      ...about,
      detail: 'The path is not a folder, or it is a link.',
    });
  }
  try {
    const { mode } = await handle.stat({ bigint: true });
    if (mayBeExposed || (mode & OTHERS) === 0n) return handle;
    throw new OperatorError('FOLDER_EXPOSED', {
      ...about,
      hint: `Run: chmod o-rwx ${shown}. Or set spec.directory.allowWorldReadable.`,
    });
  } catch (failure) {
    await handle.close();
    throw failureOf(failure, about);
  }
}
