import { opendir } from 'node:fs/promises';
import type { Address, Version } from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import { orAborted } from '#src/io/abort.ts';
import type { KeyedLock } from '#src/io/keyed-lock.ts';
import type { Clock, Random } from '#src/ports.ts';
import type { Probe } from '../driver.ts';
import { conflict, type Change } from './change.ts';
import type { Found } from './content.ts';
import { failureOf } from './failures.ts';
import { Folder, pathOfPlace, type FolderPlace } from './folder.ts';
import { isHidden } from './names.ts';
import { identityOf, lstatOf, refused } from './opened.ts';
import { probeFolder } from './probe.ts';
import { Recovery } from './recovery.ts';
import { readSettled } from './settled.ts';

export interface DirectoryStoreOptions {
  readonly place: FolderPlace;
  readonly clock: Clock;
  readonly random: Random;
  /** One for all backends of the process: two of them may lead to one folder. */
  readonly lock: KeyedLock;
}

interface Work {
  readonly op: string;
  readonly target?: Address;
  readonly signal: AbortSignal;
}

/** The folder of one backend, opened anew for each call: rights are checked each time, and a volume may be mounted anew. */
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

  /** Which folder it is; undefined before the first probe. */
  get identity(): string | undefined {
    return this.#identity;
  }

  /**
   * Looks at the folder, whichever is there now: from then on another one at this path is a failure, and not an empty
   * folder. Also puts right what was cut off, so that no plaintext waits for a next run.
   */
  async probe(signal: AbortSignal): Promise<Probe> {
    return this.visit({ op: 'directory.probe', signal }, async (folder) => {
      const probe = await probeFolder(folder);
      this.#identity = probe.identity;
      // Where that is not possible the folder can still be read, and whoever needs more is told why it fails.
      await this.#recovery.run(folder).catch(() => undefined);
      return probe;
    });
  }

  /** Opens the folder whichever it is; a file system that hangs delays no caller beyond its abort. */
  async visit<T>(work: Work, task: (folder: Folder) => Promise<T>): Promise<T> {
    work.signal.throwIfAborted();
    return orAborted(this.#run(work, task), work.signal);
  }

  /** What is at this address, once nothing of it is aside. */
  async find(address: Address, work: Work): Promise<Found | undefined> {
    return this.#enter(work, async (folder) => {
      const about = { clock: this.#options.clock, signal: work.signal };
      const found = await readSettled(folder, address, about);
      if (found !== undefined) return found;
      await this.#recovery.run(folder);
      return this.#exclusively(address, async () => readSettled(folder, address, about));
    });
  }

  /** Names of documents, and of what looks like one. */
  async names(work: Work): Promise<readonly string[]> {
    return this.#enter(work, async (folder) => {
      await this.#recovery.run(folder);
      const names: string[] = [];
      for await (const { name } of await opendir(folder.pathOf(''))) {
        if (!isHidden(name)) names.push(name);
      }
      return names;
    });
  }

  /** Changes a document while nobody else in this process does. */
  async change<T>(address: Address, work: Work, task: (change: Change) => Promise<T>): Promise<T> {
    const { clock, random } = this.#options;
    const { op, signal } = work;
    return this.#enter({ ...work, target: address }, async (folder) =>
      this.#exclusively(address, async () => {
        signal.throwIfAborted();
        return task({ folder, address, clock, random, signal, op });
      }),
    );
  }

  /** The same for a document that must be there, in exactly this state and such that it can be taken as a whole. */
  async changeFound<T>(
    { address, expect }: { readonly address: Address; readonly expect: Version },
    work: Work,
    task: (change: Change, found: Found) => Promise<T>,
  ): Promise<T> {
    await this.#enter(work, async (folder) => {
      if ((await lstatOf(folder.pathOf(address))) === undefined) await this.#recovery.run(folder);
    });
    return this.change(address, work, async (change) => {
      const found = await readSettled(change.folder, address, change);
      if (found === undefined) throw new OperatorError('NOT_FOUND', { op: work.op, target: address });
      if (!sameVersion(found.version, expect)) throw conflict(change);
      if (found.isPlain) return task(change, found);
      throw refused(
        address,
        'It is a link or contains links.',
        'Replace the link with a file, or remove it.',
      );
    });
  }

  async #enter<T>(work: Work, task: (folder: Folder) => Promise<T>): Promise<T> {
    return this.visit(work, async (folder) => {
      if (this.#identity !== undefined && identityOf(await folder.stat()) !== this.#identity) {
        throw new OperatorError('BACKEND_UNREACHABLE', {
          op: work.op,
          target: this.#path,
          detail: 'The folder at the path was replaced.',
          hint: 'No action needed; Keyferry checks the backend again and then uses it.',
        });
      }
      await this.#recovery.atFirst(folder);
      return task(folder);
    });
  }

  async #run<T>({ op, target }: Work, task: (folder: Folder) => Promise<T>): Promise<T> {
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
