import { constants, type BigIntStats } from 'node:fs';
import { access, lstat, open, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '#src/errors.ts';
import { fsError, isErrno } from './fs-error.ts';

export interface FolderOptions {
  /** Absolute, as the operator was started with it. */
  readonly root: string;
  /** Below the root: the namespace, then the segments of `spec.directory.path`. */
  readonly segments: readonly string[];
  /** Do not mind rights of everybody on the machine. */
  readonly allowWorldReadable: boolean;
}

/** Rights of everybody: read, write, enter. */
const OTHERS = 0o007n;

/** The one folder that a directory backend is confined to. */
export class Folder {
  readonly path: string;
  /** What people see of it; the place of the root on the machine is none of a tenant's business. */
  readonly title: string;
  readonly #options: FolderOptions;

  constructor(options: FolderOptions) {
    this.#options = options;
    this.path = join(options.root, ...options.segments);
    this.title = options.segments.length === 0 ? '--directory-root' : options.segments.join('/');
  }

  entry(name: string): string {
    return join(this.path, name);
  }

  /**
   * Looks at the folder and at all above it up to the root: they exist, none but the root is a link, and not everybody on
   * the machine can use them. Throws `BACKEND_UNREACHABLE` and `FOLDER_EXPOSED`.
   */
  async require(op: string, signal: AbortSignal): Promise<BigIntStats> {
    signal.throwIfAborted();
    const { root, segments } = this.#options;
    let found = await this.#look(await this.#realRoot(op), { op, shown: '--directory-root' });
    for (let depth = 1; depth <= segments.length; depth += 1) {
      const shown = segments.slice(0, depth).join('/');
      found = await this.#look(join(root, ...segments.slice(0, depth)), { op, shown });
    }
    return found;
  }

  async #realRoot(op: string): Promise<string> {
    try {
      return await realpath(this.#options.root);
    } catch (thrown) {
      throw this.#missing(thrown, { op, shown: '--directory-root' });
    }
  }

  async #look(path: string, about: { op: string; shown: string }): Promise<BigIntStats> {
    let found: BigIntStats;
    try {
      found = await lstat(path, { bigint: true });
    } catch (thrown) {
      throw this.#missing(thrown, about);
    }
    const { op, shown } = about;
    if (!found.isDirectory()) throw unreachable(op, `${shown} is no folder.`);
    if (!this.#options.allowWorldReadable && (found.mode & OTHERS) !== 0n) {
      throw new OperatorError('FOLDER_EXPOSED', { op, detail: `It is ${shown}.` });
    }
    return found;
  }

  #missing(thrown: unknown, { op, shown }: { op: string; shown: string }): unknown {
    if (isErrno(thrown, 'ENOENT', 'ENOTDIR')) {
      return unreachable(
        op,
        `There is no folder ${shown}; create it for the user of the operator, mode 0700.`,
      );
    }
    return fsError(thrown, { op, target: this.title });
  }

  /** Names of all that is in it, ours included. */
  async entries(op: string): Promise<readonly string[]> {
    try {
      return await readdir(this.path);
    } catch (thrown) {
      throw fsError(thrown, { op, target: this.title });
    }
  }

  /** True when the user of the operator may read, or change, what is in it. */
  async mayUse(mode: 'read' | 'change'): Promise<boolean> {
    const { R_OK, W_OK, X_OK } = constants;
    try {
      await access(this.path, mode === 'read' ? R_OK | X_OK : W_OK | X_OK);
      return true;
    } catch {
      return false;
    }
  }

  /** Makes sure that a change of names outlives the power supply. */
  async sync(): Promise<void> {
    const handle = await open(this.path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

function unreachable(op: string, detail: string): OperatorError {
  return new OperatorError('BACKEND_UNREACHABLE', { op, detail });
}
