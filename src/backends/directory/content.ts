import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { opendir, type FileHandle } from 'node:fs/promises';
import type { Address, Version } from '#src/core/document.ts';
import { below, type Folder } from './folder.ts';
import { FILE_FIELD, fieldRefusalOf, isBookkeeping } from './names.ts';
import { identityOf, lstatOf, openInside, readBytes, refused, refusedBy, type OpenedFile } from './opened.ts';
import { MAX_DOCUMENT_BYTES, MAX_FIELDS, TOO_LARGE, TOO_MANY_FIELDS } from './refusals.ts';

/** What lies on the disk, byte for byte. */
export interface Content {
  readonly shape: 'file' | 'folder';
  /** By their names; that of a document which is a file is `value`. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** One state of one document. */
export interface Found extends Content {
  readonly version: Version;
  /** When it changed last, nanoseconds of the file system's clock. */
  readonly changedNs: bigint;
  /** What a change of its name leaves as it is: which files these are, when they were written and how long they are. */
  readonly marks: string;
  /** True when it consists of regular files and nothing else: only such a document is ever changed or removed. */
  readonly isPlain: boolean;
}

/** What one look at a name found; `torn`: it was changed while it was looked at. */
export type Look = Found | 'absent' | 'torn';

/**
 * Looks at one name of a folder, once. A link is followed if what it leads to lies in the folder, which is decided on
 * what was opened. `DOCUMENT_REFUSED` for what is no document.
 */
export async function lookAt(folder: Folder, name: string): Promise<Look> {
  const opened = await openInside(folder, folder.pathOf(name), name);
  if (typeof opened === 'string') return opened;
  try {
    if (opened.stats.isDirectory()) return await readFolder(folder, opened, name);
    const bytes = await readBytes(opened, MAX_DOCUMENT_BYTES, name);
    if (bytes === 'torn') return 'torn';
    const { stats, isLink } = opened;
    return {
      shape: 'file',
      files: new Map([[FILE_FIELD, bytes]]),
      version: { identity: identityOf(stats), revision: String(stats.ctimeNs) },
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

async function readFolder(folder: Folder, opened: OpenedFile, target: Address): Promise<Look> {
  const { names, hasOthers } = await namesIn(opened.handle, target);
  const entries: Entry[] = [];
  let left = MAX_DOCUMENT_BYTES;
  for (const name of names) {
    const entry = await readEntry(folder, below(opened.handle, name), { name, target, left });
    if (entry === 'torn') return 'torn';
    left -= entry.bytes.byteLength;
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

/** Sorted, so that the same files always make the same version. */
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

async function readEntry(
  folder: Folder,
  path: string,
  { name, target, left }: { readonly name: string; readonly target: Address; readonly left: number },
): Promise<Entry | 'torn'> {
  const opened = await openInside(folder, path, target);
  if (opened === 'absent' || opened === 'torn') return 'torn';
  try {
    if (opened.stats.isDirectory()) throw refused(target, 'It is a folder with a folder in it.');
    const bytes = await readBytes(opened, Math.max(0, left), target);
    return bytes === 'torn' ? 'torn' : { name, bytes, stats: opened.stats, isLink: opened.isLink };
  } finally {
    await opened.handle.close();
  }
}

/** Nothing in the folder changed while the files in it were read one after the other. */
async function isAsBefore({ handle, stats }: OpenedFile, entries: readonly Entry[]): Promise<boolean> {
  for (const { name, stats: before, isLink } of entries) {
    // What a link leads to was compared with itself when it was read; that the link stayed, the folder tells.
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
 * When anything in it changed last, and a digest of when which of its files did: a clock that was set back could hide a
 * change from the first part. Shown in the status; made of names, numbers of files and times, of no value and no length.
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
