import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, readdir, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Version } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import { isErrno } from './fs-error.ts';
import { FILE_FIELD, isBackupName, MAX_DOCUMENT_BYTES, MAX_FIELDS, underWayIn } from './names.ts';
import { valueIn, type TrailingNewline } from './newline.ts';

/**
 * One document, read at one moment:
 *
 *   open → look → read → look again: unchanged, and not changed just now  → its fields and version
 *                        changed meanwhile                               → once more
 *
 * The kernel dates a change by a clock that ticks every few milliseconds, so two changes within a tick look like one
 * (git calls such a file racy). What was changed a moment ago is therefore read again after that moment.
 */
export interface Observed {
  readonly fields: ReadonlyMap<string, SecretValue>;
  readonly version: Version;
  /** Times of the contents, which moving a file does not change. */
  readonly contentTimes: string;
  readonly isFolder: boolean;
}

export interface ObserveOptions {
  readonly clock: Clock;
  readonly trailingNewline: TrailingNewline;
  readonly signal: AbortSignal;
  readonly op: string;
}

/** Longer than a tick of any kernel clock. */
const RACY_MS = 20;
const ATTEMPTS = 50;

/** One file as it was read. */
interface ReadFile {
  readonly found: BigIntStats;
  readonly content: Buffer;
}

/**
 * What is at `folder/name`; undefined when there is nothing. A link is followed only where it stays in the folder. Throws
 * `DOCUMENT_REFUSED` for what is no document, and failures of the file system as they are.
 */
export async function observe(
  folder: string,
  name: string,
  options: ObserveOptions,
): Promise<Observed | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    options.signal.throwIfAborted();
    const seen = await observeOnce(folder, name, options);
    if (seen !== 'unstable') return seen;
    await options.clock.sleep(RACY_MS, options.signal);
  }
  throw new OperatorError('VERSION_CONFLICT', {
    op: options.op,
    target: name,
    detail: 'It does not stop changing.',
  });
}

async function observeOnce(
  folder: string,
  name: string,
  options: ObserveOptions,
): Promise<Observed | undefined | 'unstable'> {
  const path = join(folder, name);
  const place = { root: await realpath(folder), name, op: options.op };
  try {
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    await requireInside(handle, place);
    const found = await handle.stat({ bigint: true });
    if (found.isDirectory()) return await observeFolder(handle, path, { place, options });
    const file = await readStable(handle, { place, clock: options.clock, room: MAX_DOCUMENT_BYTES + 1 });
    return file === 'unstable' ? file : ofFile(file, options.trailingNewline);
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT'))
      return (await isDangling(path)) ? refuse(place, 'leads nowhere') : undefined;
    // Opening a socket, or a fifo or device without the other end.
    if (isErrno(thrown, 'ENXIO', 'ENODEV')) return refuse(place, 'is neither a file nor a folder');
    throw thrown;
  }
}

interface Place {
  /** The folder of the backend, without any link in it. */
  readonly root: string;
  readonly name: string;
  readonly op: string;
}

function refuse({ name, op }: Place, fault: string): never {
  throw new OperatorError('DOCUMENT_REFUSED', { op, target: name, detail: `It ${fault}.` });
}

async function isDangling(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return false;
    throw thrown;
  }
}

/**
 * Where an opened file really is, asked of the handle: a path can be exchanged between a look and an opening. Backups and
 * what is under way are not to be had by a link either.
 */
async function requireInside(handle: FileHandle, place: Place): Promise<void> {
  const below = relative(place.root, await readlink(`/proc/self/fd/${handle.fd}`));
  const segments = below.split(sep);
  if (below === '' || segments[0] === '..') refuse(place, 'is a link out of the folder of the backend');
  const isOurs = segments.some((part) => isBackupName(part) || underWayIn(part) !== undefined);
  if (isOurs && segments.at(-1) !== place.name && segments[0] !== place.name)
    refuse(place, 'is a link to a backup');
}

async function observeFolder(
  handle: FileHandle,
  path: string,
  about: { readonly place: Place; readonly options: ObserveOptions },
): Promise<Observed | 'unstable'> {
  const { place, options } = about;
  const before = await handle.stat({ bigint: true });
  const names = (await readdir(path)).filter((entry) => !isHidden(entry)).toSorted();
  if (names.length > MAX_FIELDS) refuse(place, `has more than ${MAX_FIELDS} fields`);
  const fields = new Map<string, SecretValue>();
  const files: (readonly [string, BigIntStats])[] = [];
  let room = MAX_DOCUMENT_BYTES + MAX_FIELDS;
  for (const name of names) {
    await using file = await open(join(path, name), constants.O_RDONLY | constants.O_NONBLOCK);
    await requireInside(file, place);
    const read = await readStable(file, { place, clock: options.clock, room });
    if (read === 'unstable') return read;
    room -= read.content.byteLength;
    fields.set(name, SecretValue.fromBytes(valueIn(read.content, options.trailingNewline)));
    files.push([name, read.found]);
  }
  const after = await handle.stat({ bigint: true });
  if (after.ctimeNs !== before.ctimeNs || isRacy(after, options.clock)) return 'unstable';
  return {
    fields,
    version: { identity: identityOf(after), revision: revisionOf(after, files) },
    contentTimes: files.map(([name, { ino, mtimeNs }]) => `${name}/${ino}/${mtimeNs}`).join('\n'),
    isFolder: true,
  };
}

/** What programs that publish whole folders at once keep beside the files (`..data` of the kubelet). */
function isHidden(entry: string): boolean {
  return entry.startsWith('..');
}

function ofFile({ found, content }: ReadFile, trailingNewline: TrailingNewline): Observed {
  return {
    fields: new Map([[FILE_FIELD, SecretValue.fromBytes(valueIn(content, trailingNewline))]]),
    version: { identity: identityOf(found), revision: String(found.ctimeNs) },
    contentTimes: `${found.ino}/${found.mtimeNs}`,
    isFolder: false,
  };
}

async function readStable(
  handle: FileHandle,
  about: { readonly place: Place; readonly clock: Clock; readonly room: number },
): Promise<ReadFile | 'unstable'> {
  const { place, clock, room } = about;
  const before = await handle.stat({ bigint: true });
  if (!before.isFile()) refuse(place, 'holds something that is no plain file');
  if (before.size > BigInt(room)) refuse(place, `is larger than ${MAX_DOCUMENT_BYTES} bytes`);
  const content = await handle.readFile();
  const after = await handle.stat({ bigint: true });
  const isStable = before.ctimeNs === after.ctimeNs && before.size === BigInt(content.byteLength);
  return isStable && !isRacy(after, clock) ? { found: after, content } : 'unstable';
}

/** Of a file system with another clock nothing can be said; only a moment ago counts. */
function isRacy({ ctimeMs }: BigIntStats, clock: Clock): boolean {
  return Math.abs(clock.now() - Number(ctimeMs)) < RACY_MS;
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

/**
 * Of names, identities and times of change, never of what is in the files: whatever is done to one of them changes it, and
 * it tells nothing of a value.
 */
function revisionOf(folder: BigIntStats, files: readonly (readonly [string, BigIntStats])[]): string {
  const state = files.map(([name, { dev, ino, ctimeNs }]) => `${name}/${dev}/${ino}/${ctimeNs}`);
  return createHash('sha256')
    .update([String(folder.ctimeNs), ...state].join('\0'))
    .digest('hex')
    .slice(0, 32);
}
