import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address, Version } from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import { orAborted } from '#src/io/abort.ts';
import type { KeyedLock } from '#src/io/keyed-lock.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import type { Clock, Permit, Random } from '#src/ports.ts';
import { escapedName } from '#src/errors/printable.ts';
import type { Probe } from '../driver.ts';
import type { Listed, ListedVersion, ListQuery } from '../listing.ts';
import { conflict, type Change } from './change.ts';
import { stateOnce, type Found } from './content.ts';
import { failureOf } from './failures.ts';
import { Folder, pathOfPlace, type FolderPlace } from './folder.ts';
import { listedAs, problemAt } from '../listing-problem.ts';
import { isHidden, NAME_NOT_UTF8, nameRefusalOf, originalOf } from './names.ts';
import { identityOf, lstatOf, refused } from './opened.ts';
import { probeFolder } from './probe.ts';
import { Recovery } from './recovery.ts';
import { readSettled, unsettledMs } from './settled.ts';

/** Node runs four calls of the file system at a time; a few more keep it busy. */
export const CONCURRENCY = 8;

export interface DirectoryStoreOptions {
  readonly place: FolderPlace;
  readonly clock: Clock;
  readonly random: Random;
  /** Shared by all backends of the process: two of them may use the same folder. */
  readonly lock: KeyedLock;
}

interface Operation {
  readonly op: string;
  readonly target?: Address;
  readonly signal: AbortSignal;
}

/** A change, and what permits it. */
interface Work {
  readonly op: string;
  readonly permit: Permit;
}

/** The folder of one backend. Each call opens it again, which checks its rights and follows a new mount. */
export class DirectoryStore {
  readonly #options: DirectoryStoreOptions;
  readonly #path: string;
  readonly #recovery: Recovery;
  #identity: string | undefined;

  constructor(options: DirectoryStoreOptions) {
    this.#options = options;
    this.#path = pathOfPlace(options.place);
    this.#recovery = new Recovery({
      clock: options.clock,
      exclusively: async (address, task) => this.#exclusively(address, task),
    });
  }

  /** Absolute path of a document; that of the folder itself for ''. */
  pathOf(address: Address): string {
    return join(this.#path, address);
  }

  /** Identity of the folder; undefined before the first probe. */
  get identity(): string | undefined {
    return this.#identity;
  }

  /**
   * Opens the folder and remembers its identity: from then on, another folder at this path is a failure instead of an
   * empty store. Also runs recovery, so that no plaintext stays until the next run.
   */
  async probe(signal: AbortSignal): Promise<Probe> {
    return this.visit({ op: 'directory.probe', signal }, async (folder) => {
      const probe = await probeFolder(folder);
      this.#identity = probe.identity;
      // If recovery fails, the folder can still be read, and an operation that needs more reports its own failure.
      await this.#recovery.run(folder).catch(() => undefined);
      return probe;
    });
  }

  /** Opens the folder without a check of its identity. A file system that hangs delays no caller beyond its abort. */
  async visit<T>(operation: Operation, task: (folder: Folder) => Promise<T>): Promise<T> {
    operation.signal.throwIfAborted();
    return orAborted(this.#run(operation, task), operation.signal);
  }

  /** The document at this address; runs recovery before it reports a document as absent. */
  async find(address: Address, operation: Operation): Promise<Found | undefined> {
    return this.#enter(operation, async (folder) => {
      const about = { clock: this.#options.clock, signal: operation.signal };
      const found = await readSettled(folder, address, about);
      if (found !== undefined) return found;
      await this.#recovery.run(folder);
      this.#recovery.requireRecovered(address);
      return this.#exclusively(address, async () => readSettled(folder, address, about));
    });
  }

  /** All names that are not hidden, which are only counted, and the documents that recovery could not give their names back. */
  async names(
    operation: Operation,
    { leftOut, meter }: Pick<ListQuery, 'leftOut' | 'meter'>,
  ): Promise<readonly Listed[]> {
    return this.#enter(operation, async (folder) => {
      await this.#recovery.run(folder);
      meter?.page();
      const listed: Listed[] = [];
      // Latin 1 keeps each byte of a name as one character.
      for await (const { name } of await opendir(folder.pathOf(''), { encoding: 'latin1' })) {
        const file = listedFile(Buffer.from(name, 'latin1'), leftOut);
        if (file === undefined) continue;
        listed.push(file);
        meter?.ahead(listed.length);
      }
      const names = new Set(listed.map(({ address }) => address));
      const lost = [...this.#recovery.failures].filter(([address]) => !names.has(address));
      return [...listed, ...lost.map(([address, failure]) => problemAt(address, failure, operation.signal))];
    });
  }

  /**
   * The state of each of these documents without its bytes, in one visit; `unknown` for one that changed so recently that
   * another change could leave the same version (settled.ts), or whose name recovery may have to give back.
   */
  async states(addresses: readonly Address[], operation: Operation): Promise<readonly ListedVersion[]> {
    const { clock } = this.#options;
    const { signal } = operation;
    const stateIn = async (folder: Folder, address: Address): Promise<ListedVersion> => {
      try {
        const found = await stateOnce(folder, address);
        const isSettled = typeof found === 'object' && unsettledMs(found.changedNs, clock) === 0;
        return isSettled
          ? { address, state: 'present', version: found.version }
          : { address, state: 'unknown' };
      } catch (failure) {
        return problemAt(address, failureOf(failure, { op: operation.op, target: address }), signal);
      }
    };
    return this.#enter(operation, async (folder) =>
      Array.fromAsync(mapConcurrently(addresses, CONCURRENCY, async (address) => stateIn(folder, address))),
    );
  }

  /** Changes a document while no other caller in this process does. */
  async change<T>(address: Address, { op, permit }: Work, task: (change: Change) => Promise<T>): Promise<T> {
    const { clock, random } = this.#options;
    const { signal } = permit;
    return this.#enter({ op, target: address, signal }, async (folder) => {
      await this.#recovery.tryAgain(folder, address);
      return this.#exclusively(address, async () => {
        signal.throwIfAborted();
        return task({ folder, address, clock, random, signal, permit, op });
      });
    });
  }

  /** Like `change`, for a document that must exist in exactly this state and consist of regular files only. */
  async changeFound<T>(
    { address, expect }: { readonly address: Address; readonly expect: Version },
    work: Work,
    task: (change: Change, found: Found) => Promise<T>,
  ): Promise<T> {
    const { op, permit } = work;
    await this.#enter({ op, signal: permit.signal }, async (folder) => {
      if ((await lstatOf(folder.pathOf(address))) === undefined) await this.#recovery.run(folder);
    });
    return this.change(address, work, async (change) => {
      const found = await readSettled(change.folder, address, change);
      if (found === undefined) throw new OperatorError('NOT_FOUND', { op, target: address });
      if (!sameVersion(found.version, expect)) throw conflict(change);
      if (found.isPlain) return task(change, found);
      throw refused(
        address,
        'It is a link or contains links.',
        'Replace the link with a file, or remove it.',
      );
    });
  }

  async #enter<T>(operation: Operation, task: (folder: Folder) => Promise<T>): Promise<T> {
    return this.visit(operation, async (folder) => {
      if (this.#identity !== undefined && identityOf(await folder.stat()) !== this.#identity) {
        throw new OperatorError('BACKEND_UNREACHABLE', {
          op: operation.op,
          target: this.#path,
          detail: 'The folder at the path was replaced.',
          hint: 'No action needed; Keyferry checks the backend again and then uses it.',
        });
      }
      await this.#recovery.runOnce(folder);
      return task(folder);
    });
  }

  async #run<T>({ op, target }: Operation, task: (folder: Folder) => Promise<T>): Promise<T> {
    try {
      await using folder = await Folder.open(this.#options.place);
      return await task(folder);
    } catch (failure) {
      throw failureOf(failure, { op, ...(target === undefined ? {} : { target }) });
    }
  }

  async #exclusively<T>(address: Address, task: () => Promise<T>): Promise<T> {
    return this.#options.lock.run(`${this.#path}\n${address}`, task);
  }
}

/** Undefined for a hidden file. */
function listedFile(bytes: Buffer, leftOut: ListQuery['leftOut']): Listed | undefined {
  const name = bytes.toString('utf8');
  if (isHidden(name)) {
    leftOut?.(originalOf(name) === undefined ? 'Hidden' : 'Backup');
    return undefined;
  }
  if (Buffer.from(name).equals(bytes)) return listedAs({ address: name }, nameRefusalOf);
  const shown = [...bytes].map((byte) =>
    byte < 0x80 ? escapedName(String.fromCodePoint(byte)) : `\\x${byte.toString(16)}`,
  );
  return { address: shown.join(''), problem: NAME_NOT_UTF8 };
}
