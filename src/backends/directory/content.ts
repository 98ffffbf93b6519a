import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { opendir, type FileHandle } from 'node:fs/promises';
import type { Address, Version } from '#src/core/document.ts';
import { below, type Folder } from './folder.ts';
import { FILE_FIELD, fieldRefusalOf, isBookkeeping } from './names.ts';
import {
  identityOf,
  lstatOf,
  openInside,
  readBytes,
  refused,
  refusedBy,
  requireSize,
  type OpenedFile,
} from './opened.ts';
import { MAX_DOCUMENT_BYTES, MAX_FIELDS, TOO_LARGE, TOO_MANY_FIELDS } from './refusals.ts';

/** The bytes on the disk. */
export interface Content {
  readonly shape: 'file' | 'folder';
  /** By name. A document that is a single file has the name `value`. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** One state of one document. */
export interface Found extends Content {
  readonly version: Version;
  /** Last change, in nanoseconds of the clock of the file system. */
  readonly changedNs: bigint;
  /** What a rename does not change: identity, write time and size of each file. */
  readonly marks: string;
  /** True for regular files only, without links: only such a document is ever changed or removed. */
  readonly isPlain: boolean;
}

/** Result of reading a name once. `torn`: it changed during the read. */
export type Snapshot = Found | 'absent' | 'torn';

/**
 * Reads one name of a folder, once. Follows a link if its target is in the folder, as checked on the opened file.
 * Throws `DOCUMENT_REFUSED` if it is not a document.
 */
export async function readOnce(folder: Folder, name: string): Promise<Snapshot> {
  return snapshotOf(folder, name, readBytes);
}

/** One state of one document, without its bytes. */
export type State = Pick<Found, 'version' | 'changedNs'>;

/** As `readOnce`, but reads no file: the version is made of what the file system says of the files. */
export async function stateOnce(folder: Folder, name: string): Promise<State | 'absent' | 'torn'> {
  const stats = await lstatOf(folder.pathOf(name));
  if (stats === undefined) return 'absent';
  // What else a read would check of a plain file is its size and its links.
  const isSimple = stats.isFile() && stats.nlink === 1n;
  if (!isSimple) return snapshotOf(folder, name, withoutBytes);
  requireSize(stats, MAX_DOCUMENT_BYTES, name);
  return { version: versionOfFile(stats), changedNs: stats.ctimeNs };
}

type ReadBytes = typeof readBytes;

const withoutBytes: ReadBytes = async ({ stats }, maxBytes, target) => {
  requireSize(stats, maxBytes, target);
  return Promise.resolve(Buffer.alloc(0));
};

function versionOfFile(stats: BigIntStats): Version {
  return { identity: identityOf(stats), revision: String(stats.ctimeNs) };
}

async function snapshotOf(folder: Folder, name: string, read: ReadBytes): Promise<Snapshot> {
  const opened = await openInside(folder, folder.pathOf(name), name);
  if (typeof opened === 'string') return opened;
  try {
    if (opened.stats.isDirectory()) return await readFolder(folder, opened, { target: name, read });
    const bytes = await read(opened, MAX_DOCUMENT_BYTES, name);
    if (bytes === 'torn') return 'torn';
    const { stats, isLink } = opened;
    return {
      shape: 'file',
      files: new Map([[FILE_FIELD, bytes]]),
      version: versionOfFile(stats),
      changedNs: stats.ctimeNs,
      marks: marksOf('', stats),
      isPlain: !isLink,
    };
  } finally {
    await opened.handle.close();
  }
}

interface Entry {
  readonly name: string;
  readonly stats: BigIntStats;
  readonly bytes: Buffer;
  readonly isLink: boolean;
}

async function readFolder(
  folder: Folder,
  opened: OpenedFile,
  { target, read }: { readonly target: Address; readonly read: ReadBytes },
): Promise<Snapshot> {
  const { names, hasOthers } = await namesIn(opened.handle, target);
  const entries: Entry[] = [];
  let left = MAX_DOCUMENT_BYTES;
  for (const name of names) {
    const entry = await readEntry(folder, below(opened.handle, name), { name, target, left, read });
    if (entry === 'torn') return 'torn';
    left -= Number(entry.stats.size);
    if (left < -names.length) throw refusedBy(target, TOO_LARGE);
    entries.push(entry);
  }
  if (!(await isAsBefore(opened, entries))) return 'torn';
  const changedNs = latest([opened.stats, ...entries.map(({ stats }) => stats)]);
  const marks = entries.map(({ name, stats }) => marksOf(name, stats));
  return {
    shape: 'folder',
    files: new Map(entries.map(({ name, bytes }) => [name, bytes])),
    version: { identity: identityOf(opened.stats), revision: revisionOf(opened.stats, entries) },
    changedNs,
    marks: [identityOf(opened.stats), ...marks].join('\n'),
    isPlain: !opened.isLink && !hasOthers && entries.every(({ isLink }) => !isLink),
  };
}

/** Sorted, so that the same files always have the same version. */
async function namesIn(
  handle: FileHandle,
  target: Address,
): Promise<{ readonly names: readonly string[]; readonly hasOthers: boolean }> {
  const names: string[] = [];
  let hasOthers = false;
  for await (const { name } of await opendir(below(handle, ''))) {
    if (isBookkeeping(name)) {
      hasOthers = true;
      continue;
    }
    const refusal = fieldRefusalOf(name);
    if (refusal !== undefined) throw refusedBy(target, refusal);
    if (names.length === MAX_FIELDS) throw refusedBy(target, TOO_MANY_FIELDS);
    names.push(name);
  }
  return { names: names.toSorted(), hasOthers };
}

interface EntryToRead {
  readonly name: string;
  readonly target: Address;
  /** Bytes that the document may still have. */
  readonly left: number;
  readonly read: ReadBytes;
}

async function readEntry(
  folder: Folder,
  path: string,
  { name, target, left, read }: EntryToRead,
): Promise<Entry | 'torn'> {
  const opened = await openInside(folder, path, target);
  if (opened === 'absent' || opened === 'torn') return 'torn';
  try {
    if (opened.stats.isDirectory()) throw refused(target, 'It is a folder with a folder in it.');
    const bytes = await read(opened, Math.max(0, left), target);
    return bytes === 'torn' ? 'torn' : { name, bytes, stats: opened.stats, isLink: opened.isLink };
  } finally {
    await opened.handle.close();
  }
}

/** True if nothing in the folder changed while its files were read one after the other. */
async function isAsBefore({ handle, stats }: OpenedFile, entries: readonly Entry[]): Promise<boolean> {
  for (const { name, stats: before, isLink } of entries) {
    // The target of a link was checked when it was read; the time of the folder shows whether the link stayed.
    const after = isLink ? before : await lstatOf(below(handle, name));
    if (after?.ino !== before.ino || after.ctimeNs !== before.ctimeNs) return false;
  }
  return (await handle.stat({ bigint: true })).ctimeNs === stats.ctimeNs;
}

function marksOf(name: string, { dev, ino, mtimeNs, size }: BigIntStats): string {
  return `${name}/${dev}:${ino}:${mtimeNs}:${size}`;
}

function latest(stats: readonly BigIntStats[]): bigint {
  return stats.reduce((latestNs, { ctimeNs }) => (ctimeNs > latestNs ? ctimeNs : latestNs), 0n);
}

/**
 * The last change of anything in the folder, and a digest of the times of all files: a clock that was set back could
 * hide a change from the first part alone. The status shows it, so it has names, inode numbers and times, but no value
 * and no length.
 */
function revisionOf(stats: BigIntStats, entries: readonly Entry[]): string {
  const hash = createHash('sha256').update(String(stats.ctimeNs));
  for (const entry of entries) hash.update(`\n${entry.stats.ino}:${entry.stats.ctimeNs}:${entry.name}`);
  const changedNs = latest([stats, ...entries.map((entry) => entry.stats)]);
  return `${changedNs}-${hash.digest('hex').slice(0, 16)}`;
}

/** True when both are the same files with the same bytes. */
export function sameContent(left: Content, right: Content): boolean {
  if (left.shape !== right.shape || left.files.size !== right.files.size) return false;
  for (const [name, bytes] of left.files) {
    if (right.files.get(name)?.equals(bytes) !== true) return false;
  }
  return true;
}
