import { release } from 'node:os';
import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';
import { errorOf, hasCode, OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import type {
  BackendDriver,
  BackupStore,
  DriverTraits,
  Entry,
  ListQuery,
  Location,
  Need,
  Probe,
  ReadOutcome,
  Refusal,
} from '../driver.ts';
import { KeyedLock } from '../keyed-lock.ts';
import { sideBySide } from '../side-by-side.ts';
import { FolderChanges } from './changes.ts';
import type { Folder } from './folder.ts';
import { fsError } from './fs-error.ts';
import { backupNameOf, documentRefusalOf, isBackupName, nameRefusalOf } from './names.ts';
import type { TrailingNewline } from './newline.ts';
import { observe, type ObserveOptions } from './observe.ts';

export interface DirectoryDriverOptions {
  readonly folder: Folder;
  /** Shared by all drivers of the process (changes.ts). */
  readonly living: Set<string>;
  readonly trailingNewline: TrailingNewline;
  readonly clock: Clock;
}

/** More files at once bring no rate: each waits for the same disk. */
const CONCURRENCY = 16;

/**
 * Files of one folder. A Version is device and inode, and when the file was changed last; it stays the same over restarts
 * and says nothing of what is in the file. How a write or removal of exactly one version works without check-and-set is
 * drawn in changes.ts.
 */
export class DirectoryDriver implements BackendDriver {
  readonly kind = 'directory';
  readonly traits: DriverTraits = {
    addressing: 'flat',
    concurrency: CONCURRENCY,
    keepsRevisions: false,
    statesAttributes: false,
  };
  readonly backups: BackupStore;
  /** Nobody follows a file. */
  readonly projections = undefined;
  readonly #options: DirectoryDriverOptions;
  readonly #changes: FolderChanges;
  readonly #lock = new KeyedLock();
  #identity: string | undefined;

  constructor(options: DirectoryDriverOptions) {
    this.#options = options;
    this.#changes = new FolderChanges(options.folder, options.living);
    this.backups = {
      addressOf: backupNameOf,
      has: async (address, signal) => this.#hasBackup(address, signal),
      retire: async (address, expect, signal) => this.#retire(address, expect, signal),
      discard: async (backup, signal) => this.#discard(backup, signal),
    };
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    const { dev, ino } = await this.#options.folder.require('directory.probe', signal);
    this.#identity = `${dev}:${ino}`;
    return {
      server: { product: 'file system', version: release() },
      identity: this.#identity,
      // Not the file system's own, but made of steps that are (changes.ts).
      capabilities: ['ConditionalWrite'],
    };
  }

  locationOf(address: Address): Location {
    if (this.#identity === undefined) throw new OperatorError('INVARIANT', { op: 'directory.location' });
    return { store: `directory ${this.#identity}`, path: address };
  }

  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Entry> {
    const op = 'directory.list';
    const { clock, folder } = this.#options;
    if (query.labelSelector !== undefined) {
      throw new OperatorError('CAPABILITY_MISSING', { op, detail: 'Files have no labels to select by.' });
    }
    await folder.require(op, signal);
    if (query.folder !== '') return;
    await this.#changes.recover(clock.now(), op);
    for (const entry of await folder.entries(op)) {
      signal.throwIfAborted();
      if (!entry.startsWith('.')) yield { address: entry };
    }
  }

  /** There is one revision only: the current one, which may be newer than the one asked for. */
  async read(address: Address, signal: AbortSignal): Promise<ReadResult> {
    return await this.#during('directory.read', { address, signal }, async (options) => {
      const { clock, folder } = this.#options;
      let found = await observe(folder.path, address, options);
      // It may only have been moved aside by a process that has died since.
      if (found === undefined && (await this.#changes.recover(clock.now(), options.op, address))) {
        found = await observe(folder.path, address, options);
      }
      if (found === undefined) return { state: 'absent' };
      const { fields, version } = found;
      return { state: 'present', document: { address, fields, attributes: {}, version } };
    });
  }

  async *readMany(addresses: readonly Address[], signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    await this.#options.folder.require('directory.read', signal);
    yield* sideBySide(new Set(addresses), CONCURRENCY, async (address): Promise<ReadOutcome> => {
      try {
        return { address, result: await this.read(address, signal) };
      } catch (error) {
        signal.throwIfAborted();
        if (hasCode(error, 'BACKEND_UNREACHABLE')) throw error;
        return { address, error };
      }
    });
  }

  refusalOf(document: Document): Refusal | undefined {
    return documentRefusalOf(document);
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return nameRefusalOf(address);
  }

  /** The rights are those of the folder: who may change it may rename and remove what is in it. */
  async denied(needs: readonly Need[], signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const { folder } = this.#options;
    const refusals = new Map<Address, Refusal>();
    const why = new Map<'read' | 'change', string | undefined>();
    for (const mode of ['read', 'change'] as const) why.set(mode, await this.#whyNot(mode, signal));
    for (const { address, verbs } of needs) {
      const message = verbs.some((verb) => verb !== 'read')
        ? (why.get('change') ?? why.get('read'))
        : why.get('read');
      if (message !== undefined) refusals.set(address, { reason: 'PermissionDenied', message });
    }
    signal.throwIfAborted();
    return refusals.size === 0 || needs.length === 0 ? refusals : titled(refusals, folder.title);
  }

  async #whyNot(mode: 'read' | 'change', signal: AbortSignal): Promise<string | undefined> {
    const { folder } = this.#options;
    try {
      await folder.require('directory.access', signal);
    } catch (failure) {
      if (!hasCode(failure, 'FOLDER_EXPOSED') && !hasCode(failure, 'AUTH_DENIED')) throw failure;
      return errorOf(failure).message;
    }
    return (await folder.mayUse(mode))
      ? undefined
      : `The user of the operator may not ${mode} what is in it.`;
  }

  async write(document: Document, expect: Expectation, signal: AbortSignal): Promise<Version> {
    const op = 'directory.write';
    const refusal = documentRefusalOf(document);
    if (refusal !== undefined) throw new OperatorError('DOCUMENT_REFUSED', { op, detail: refusal.message });
    const { address } = document;
    return await this.#during(op, { address, signal }, async (options) =>
      this.#lock.run(address, async () => {
        if (expect === 'absent') return await this.#changes.create(document, options);
        try {
          return await this.#changes.replace(document, expect, options);
        } catch (thrown) {
          if (!hasCode(thrown, 'NOT_FOUND') && !hasCode(thrown, 'ALREADY_EXISTS')) throw thrown;
          throw new OperatorError('VERSION_CONFLICT', { op, target: address });
        }
      }),
    );
  }

  async delete(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    await this.#during('directory.delete', { address, signal }, async (options) =>
      this.#lock.run(address, async () => this.#changes.remove(address, expect, options)),
    );
  }

  async #hasBackup(address: Address, signal: AbortSignal): Promise<boolean> {
    return await this.#during('directory.backup', { address, signal }, async (options) => {
      return (await observe(this.#options.folder.path, backupNameOf(address), options)) !== undefined;
    });
  }

  async #retire(address: Address, expect: Version, signal: AbortSignal): Promise<Address> {
    const backup = backupNameOf(address);
    await this.#during('directory.backup', { address, signal }, async (options) =>
      this.#lock.run(address, async () => this.#changes.retire(address, { backup, expect }, options)),
    );
    return backup;
  }

  async #discard(backup: Address, signal: AbortSignal): Promise<void> {
    const op = 'directory.discard';
    if (!isBackupName(backup) || backup.includes('/')) {
      throw new OperatorError('DOCUMENT_REFUSED', { op, target: backup, detail: 'It is no backup.' });
    }
    try {
      await this.#options.folder.require(op, signal);
      await this.#changes.discard(backup);
    } catch (thrown) {
      throw fsError(thrown, { op, target: backup, indeterminate: true });
    }
  }

  /** One operation on one document of a folder that may be used; failures of the file system as ours. */
  async #during<T>(
    op: string,
    about: { readonly address: Address; readonly signal: AbortSignal },
    task: (options: ObserveOptions) => Promise<T>,
  ): Promise<T> {
    const { address, signal } = about;
    const refusal = nameRefusalOf(address);
    if (refusal !== undefined) throw new OperatorError('DOCUMENT_REFUSED', { op, detail: refusal.message });
    const { clock, folder, trailingNewline } = this.#options;
    await folder.require(op, signal);
    try {
      return await task({ clock, op, signal, trailingNewline });
    } catch (thrown) {
      throw fsError(thrown, { op, target: address });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing of its own.
  }
}

function titled(refusals: ReadonlyMap<Address, Refusal>, title: string): ReadonlyMap<Address, Refusal> {
  return new Map(
    [...refusals].map(([address, { reason, message }]) => [
      address,
      { reason, message: `${title}: ${message}` },
    ]),
  );
}
