import { constants } from 'node:fs';
import { mkdir, open, opendir, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import type { Content } from './content.ts';
import { below, type Folder } from './folder.ts';
import { lstatOf } from './opened.ts';

/** A complete and durable file or folder that still has a transient name. */
export interface Prepared extends AsyncDisposable {
  readonly file: string;
  readonly shape: Content['shape'];
  /** Stays open, so that its inode number is not reused before its version is known. */
  readonly handle: FileHandle;
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** For the owner only. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Writes the content under a transient name. Leaves nothing behind if it fails. */
export async function prepare(folder: Folder, file: string, content: Content): Promise<Prepared> {
  const path = folder.pathOf(file);
  try {
    const handle =
      content.shape === 'file'
        ? await writeFile(path, onlyFileOf(content))
        : await writeFolder(path, content.files);
    return { file, shape: content.shape, handle, [Symbol.asyncDispose]: async () => handle.close() };
  } catch (failure) {
    await removeQuietly(folder, file);
    throw failure;
  }
}

function onlyFileOf({ files }: Content): Buffer {
  const [bytes = Buffer.alloc(0)] = files.values();
  return bytes;
}

async function writeFile(path: string, bytes: Buffer): Promise<FileHandle> {
  const handle = await open(path, NEW_FILE, FILE_MODE);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
    return handle;
  } catch (failure) {
    await handle.close();
    throw failure;
  }
}

async function writeFolder(path: string, files: Content['files']): Promise<FileHandle> {
  await mkdir(path, FOLDER_MODE);
  const handle = await open(path, OPEN_FOLDER);
  try {
    for (const [name, bytes] of files) await (await writeFile(below(handle, name), bytes)).close();
    await handle.sync();
    return handle;
  } catch (failure) {
    await handle.close();
    throw failure;
  }
}

/** Removes a file, or a folder with its files but without subfolders. Does nothing if it is gone. */
export async function removeFlat(folder: Folder, file: string): Promise<void> {
  const path = folder.pathOf(file);
  const stats = await lstatOf(path);
  if (stats === undefined) return;
  if (!stats.isDirectory()) {
    await unlink(path);
    return;
  }
  const handle = await open(path, OPEN_FOLDER);
  try {
    for await (const { name } of await opendir(below(handle, ''))) await unlink(below(handle, name));
  } finally {
    await handle.close();
  }
  await rmdir(path);
}

/** Never throws: recovery removes later what cannot be removed now. */
export async function removeQuietly(folder: Folder, file: string): Promise<void> {
  try {
    await removeFlat(folder, file);
  } catch {
    // See above.
  }
}
