import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, link, lstat, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Document, Version } from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Folder } from './folder.ts';
import { isErrno } from './fs-error.ts';
import { entryOf, FILE_FIELD, underWayIn, type Step } from './names.ts';
import { contentFor } from './newline.ts';
import { observe, type Observed, type ObserveOptions } from './observe.ts';

/*
 * A file system has no check-and-set. What has to be one step is made of steps that are one each, and that lose nothing
 * when a process dies between them:
 *
 *   create    write .new, fsync → link to the name, which fails if it is taken → remove .new → fsync the folder
 *   take      rename to .aside, which takes exactly one state, whoever writes meanwhile → look whether it is the one that
 *             was expected → if not, back under its name, and VERSION_CONFLICT
 *   remove    take → rename to .gone → remove
 *   replace   take → create → remove what was taken
 *   retire    take → link to the name of the backup, which fails if it is taken → remove what was taken
 *
 * A folder cannot be linked: it is renamed, which fails if the name is taken by anything but an empty folder.
 *
 * What a dead process left is put right by the next one that looks: .aside goes back when its name is free, so that an
 * interrupted change never happened; .gone goes; .new goes once it is too old to be anybody's work. One limit remains: who
 * holds a file open while it is taken can go on writing to what is about to be removed.
 */

/** Nobody takes that long to write a document. */
const ABANDONED_MS = 10 * 60_000;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Something of ours that is under way. */
interface Taken {
  readonly entry: string;
  readonly observed: Observed;
}

export class FolderChanges {
  readonly #folder: Folder;
  readonly #living: Set<string>;

  /** `living`: tokens of all changes that this process has under way, by whatever driver. They are not left behind. */
  constructor(folder: Folder, living: Set<string>) {
    this.#folder = folder;
    this.#living = living;
  }

  /** Publishes the document under its name; `ALREADY_EXISTS` if that is taken. Resolves with what is there then. */
  async create(document: Document, options: ObserveOptions): Promise<Version> {
    return await this.#withToken(async (token) => {
      const { address } = document;
      const fresh = entryOf({ name: address, step: 'new', token });
      try {
        const isFolder = await this.#stage(fresh, document, options);
        await this.#publish({ from: fresh, to: address, isFolder }, options.op);
      } catch (failure) {
        await this.#discard(fresh);
        throw failure;
      }
      return await this.#finished(options.op, address, async () => {
        await this.#discard(fresh);
        await this.#folder.sync();
        return await this.#versionOf(address, options);
      });
    });
  }

  async replace(document: Document, expect: Version, options: ObserveOptions): Promise<Version> {
    return await this.#withToken(async (token) => {
      const { address } = document;
      const taken = await this.#take(address, { expect, token, options });
      let written: Version;
      try {
        written = await this.create(document, options);
      } catch (failure) {
        await this.#putBack(taken, address);
        throw failure;
      }
      await this.#finished(options.op, address, async () => this.#remove(taken.entry, token, address));
      return written;
    });
  }

  /** `VERSION_CONFLICT` when it is another state, `NOT_FOUND` when it is gone. */
  async remove(name: string, expect: Version, options: ObserveOptions): Promise<void> {
    await this.#withToken(async (token) => {
      const taken = await this.#take(name, { expect, token, options });
      await this.#finished(options.op, name, async () => this.#remove(taken.entry, token, name));
    });
  }

  /** Keeps exactly this state under another name instead; `ALREADY_EXISTS` when that holds something else. */
  async retire(
    name: string,
    target: { readonly backup: string; readonly expect: Version },
    options: ObserveOptions,
  ): Promise<void> {
    await this.#withToken(async (token) => {
      const { backup, expect } = target;
      const taken = await this.#take(name, { expect, token, options });
      try {
        await this.#keep(taken, backup, options);
      } catch (failure) {
        await this.#putBack(taken, name);
        throw failure;
      }
      await this.#finished(options.op, name, async () => {
        if (await this.#isThere(taken.entry)) await this.#remove(taken.entry, token, name);
        await this.#folder.sync();
      });
    });
  }

  async #keep(taken: Taken, backup: string, options: ObserveOptions): Promise<void> {
    const existing = await observe(this.#folder.path, backup, options);
    if (existing !== undefined) {
      if (sameContent(existing, taken.observed)) return; // Made by a run that died before it removed the original.
      throw new OperatorError('ALREADY_EXISTS', { op: options.op, target: backup });
    }
    await this.#makePrivate(taken);
    const { isFolder } = taken.observed;
    await this.#publish({ from: taken.entry, to: backup, isFolder }, options.op);
  }

  async #makePrivate({ entry, observed }: Taken): Promise<void> {
    const path = this.#folder.entry(entry);
    if (!observed.isFolder) return chmod(path, FILE_MODE);
    for (const field of await readdir(path)) {
      if (!(await lstat(join(path, field))).isSymbolicLink()) await chmod(join(path, field), FILE_MODE);
    }
    return chmod(path, FOLDER_MODE);
  }

  /** Removes what nobody refers to any more. */
  async discard(entry: string): Promise<void> {
    await this.#withToken(async (token) => {
      if (await this.#isThere(entry)) await this.#remove(entry, token, entry.slice(1));
    });
  }

  /** Puts right what dead processes left of this document, or of all. True when something was under way. */
  async recover(nowMs: number, op: string, only?: string): Promise<boolean> {
    let found = false;
    for (const entry of await this.#folder.entries(op)) {
      const underWay = underWayIn(entry);
      if (underWay === undefined || this.#living.has(underWay.token)) continue;
      if (only !== undefined && underWay.name !== only) continue;
      found = true;
      await this.#recoverOne(entry, { ...underWay, nowMs });
    }
    return found;
  }

  async #recoverOne(
    entry: string,
    about: { readonly name: string; readonly step: Step; readonly nowMs: number },
  ): Promise<void> {
    const { name, nowMs, step } = about;
    try {
      if (step === 'aside') return await this.#putBackEntry(entry, name);
      const { mtimeMs } = await lstat(this.#folder.entry(entry));
      if (step === 'gone' || nowMs - mtimeMs > ABANDONED_MS) await this.#discard(entry);
    } catch (thrown) {
      if (!isErrno(thrown, 'ENOENT')) throw thrown; // Somebody else puts it right at the same time.
    }
  }

  async #withToken<T>(task: (token: string) => Promise<T>): Promise<T> {
    const token = randomBytes(8).toString('hex');
    this.#living.add(token);
    try {
      return await task(token);
    } finally {
      this.#living.delete(token);
    }
  }

  /** What fails from here on has happened all the same, or may have. */
  async #finished<T>(op: string, target: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (thrown) {
      const cause = thrown instanceof OperatorError ? thrown : undefined;
      throw new OperatorError('SERVER_ERROR', {
        op,
        target,
        detail: 'The change was made, but it is not known whether it will outlive the power supply.',
        indeterminate: true,
        cause,
      });
    }
  }

  async #versionOf(name: string, options: ObserveOptions): Promise<Version> {
    const found = await observe(this.#folder.path, name, options);
    if (found !== undefined) return found.version;
    throw new OperatorError('NOT_FOUND', { op: options.op, target: name });
  }

  /** Writes everything out under a name of ours. True when it is a folder. */
  async #stage(entry: string, { fields }: Document, { trailingNewline }: ObserveOptions): Promise<boolean> {
    const path = this.#folder.entry(entry);
    const single = fields.size === 1 ? fields.get(FILE_FIELD) : undefined;
    if (single !== undefined) {
      await writeOut(path, contentFor(single.reveal(), trailingNewline));
      return false;
    }
    await mkdir(path, { mode: FOLDER_MODE });
    for (const [field, value] of fields) {
      await writeOut(join(path, field), contentFor(value.reveal(), trailingNewline));
    }
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    return true;
  }

  async #publish(
    step: { readonly from: string; readonly to: string; readonly isFolder: boolean },
    op: string,
  ): Promise<void> {
    const [from, to] = [this.#folder.entry(step.from), this.#folder.entry(step.to)];
    const taken = new OperatorError('ALREADY_EXISTS', { op, target: step.to });
    try {
      if (step.isFolder) {
        // An empty folder would be taken over silently; one that appears this very moment holds nothing.
        if (await this.#isThere(step.to)) throw taken;
        await rename(from, to);
      } else {
        await link(from, to);
      }
    } catch (thrown) {
      if (isErrno(thrown, 'EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR')) throw taken;
      throw thrown;
    }
  }

  async #take(
    name: string,
    about: { readonly expect: Version; readonly token: string; readonly options: ObserveOptions },
  ): Promise<Taken> {
    const { expect, token, options } = about;
    const { op } = options;
    const before = await observe(this.#folder.path, name, options);
    if (before === undefined) throw new OperatorError('NOT_FOUND', { op, target: name });
    if (!sameVersion(before.version, expect))
      throw new OperatorError('VERSION_CONFLICT', { op, target: name });
    if ((await lstat(this.#folder.entry(name))).isSymbolicLink()) {
      throw new OperatorError('DOCUMENT_REFUSED', {
        op,
        target: name,
        detail: 'It is a link; only what is here is changed.',
      });
    }
    const entry = entryOf({ name, step: 'aside', token });
    try {
      await rename(this.#folder.entry(name), this.#folder.entry(entry));
    } catch (thrown) {
      if (isErrno(thrown, 'ENOENT')) throw new OperatorError('NOT_FOUND', { op, target: name });
      throw thrown;
    }
    const taken = { entry, observed: before };
    try {
      const after = await observe(this.#folder.path, entry, options);
      if (after === undefined || !sameState(before, after)) {
        throw new OperatorError('VERSION_CONFLICT', { op, target: name });
      }
      return taken;
    } catch (failure) {
      await this.#putBack(taken, name);
      throw failure;
    }
  }

  async #putBack({ entry }: Taken, name: string): Promise<void> {
    await this.#putBackEntry(entry, name);
    await this.#folder.sync();
  }

  /** Where somebody has written the name anew, both stay: that one, and ours beside it. */
  async #putBackEntry(entry: string, name: string): Promise<void> {
    const isFolder = (await lstat(this.#folder.entry(entry))).isDirectory();
    try {
      await this.#publish({ from: entry, to: name, isFolder }, 'directory.recover');
    } catch (thrown) {
      if (thrown instanceof OperatorError && thrown.code === 'ALREADY_EXISTS') return;
      throw thrown;
    }
    if (!isFolder) await unlink(this.#folder.entry(entry));
  }

  /** First out of the reach of `recover`, which would bring back half of a folder. */
  async #remove(entry: string, token: string, name: string): Promise<void> {
    const gone = entryOf({ name, step: 'gone', token });
    await rename(this.#folder.entry(entry), this.#folder.entry(gone));
    await this.#discard(gone);
    await this.#folder.sync();
  }

  async #discard(entry: string): Promise<void> {
    const path = this.#folder.entry(entry);
    try {
      if (!(await lstat(path)).isDirectory()) return await unlink(path);
      for (const field of await readdir(path)) await unlink(join(path, field));
      return await rmdir(path);
    } catch (thrown) {
      if (!isErrno(thrown, 'ENOENT')) throw thrown;
    }
  }

  async #isThere(entry: string): Promise<boolean> {
    try {
      await lstat(this.#folder.entry(entry));
      return true;
    } catch (thrown) {
      if (isErrno(thrown, 'ENOENT')) return false;
      throw thrown;
    }
  }
}

function sameContent(left: Observed, right: Observed): boolean {
  if (left.isFolder !== right.isFolder || left.fields.size !== right.fields.size) return false;
  return [...left.fields].every(([field, value]) => right.fields.get(field)?.equals(value) === true);
}

/** The same files with the same bytes: moving them changes nothing else that could be looked at. */
function sameState(before: Observed, after: Observed): boolean {
  return (
    before.version.identity === after.version.identity &&
    before.contentTimes === after.contentTimes &&
    sameContent(before, after)
  );
}

async function writeOut(path: string, content: Buffer): Promise<void> {
  const handle = await open(path, 'wx', FILE_MODE);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
