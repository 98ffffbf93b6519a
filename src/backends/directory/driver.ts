import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';
import { repeatable } from '#src/core/repeatable.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { Driver, BackupStore, DriverTraits, Location, Need, Probe, ReadOutcome } from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import type { Listed, ListedVersion, ListQuery } from '../listing.ts';
import { isProblem } from '../listing-problem.ts';
import type { Addresses } from '../addresses.ts';
import { readEach } from '../read-each.ts';
import { DirectoryBackups } from './backups.ts';
import { create, remove, replace } from './changes.ts';
import { nameRefusalOf } from './names.ts';
import { toContent, toFields, type TrailingNewline } from './newline.ts';
import { documentRefusalOf } from './refusals.ts';
import { allDenied, findDenied } from './rights.ts';
import { CONCURRENCY, DirectoryStore, type DirectoryStoreOptions } from './store.ts';

export interface DirectoryDriverOptions extends DirectoryStoreOptions {
  readonly trailingNewline: TrailingNewline;
}

/** Documents whose versions are found in one visit of the folder: an abort ends the listing between two visits. */
const NAMES_AT_ONCE = 500;

/**
 * The files of one folder. `<folder>/<name>` is a document with the key `value` or, if it is a folder, with a key for
 * each file in it. A Version is the inode and the time of the last change (content.ts). changes.ts shows how exactly
 * one state is replaced or removed.
 */
export class DirectoryDriver implements Driver {
  readonly kind = 'directory';
  readonly serverTime = undefined;
  readonly traits: DriverTraits = {
    isLocal: true,
    addressing: 'flat',
    concurrency: CONCURRENCY,
    statesAttributes: false,
  };
  readonly backups: BackupStore;
  readonly claims = undefined;
  readonly copies = undefined;
  readonly projections = undefined;
  readonly #store: DirectoryStore;
  readonly #trailingNewline: TrailingNewline;

  constructor({ trailingNewline, ...options }: DirectoryDriverOptions) {
    this.#trailingNewline = trailingNewline;
    this.#store = new DirectoryStore(options);
    this.backups = new DirectoryBackups(this.#store, trailingNewline);
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return this.#store.probe(signal);
  }

  locationOf(address: Address): Location {
    const { identity } = this.#store;
    if (identity === undefined) throw new OperatorError('INVARIANT', { op: 'directory.location' });
    return { store: `directory ${identity}`, path: address, file: this.#store.pathOf(address) };
  }

  async isLeaving(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Listed> {
    for (const listed of await this.#names(query, signal)) {
      signal.throwIfAborted();
      yield listed;
    }
  }

  /** Reads no file: the version is made of inode numbers and times. */
  async *versions(query: ListQuery, signal: AbortSignal): AsyncGenerator<ListedVersion> {
    const listed = await this.#names(query, signal);
    yield* listed.filter(isProblem);
    const names = listed.filter((each) => !isProblem(each)).map(({ address }) => address);
    for (let first = 0; first < names.length; first += NAMES_AT_ONCE) {
      const some = names.slice(first, first + NAMES_AT_ONCE);
      yield* await this.#store.states(some, { op: 'directory.versions', signal });
    }
  }

  async #names(query: ListQuery, signal: AbortSignal): Promise<readonly Listed[]> {
    if (query.labelSelector !== undefined) {
      throw new OperatorError('CAPABILITY_MISSING', {
        op: 'directory.list',
        detail: 'Files have no labels.',
        hint: 'Select by names or all instead of labelSelector.',
      });
    }
    if (query.folder !== '') return [];
    return this.#store.names({ op: 'directory.list', signal }, query);
  }

  /** Returns the current revision, which may be newer than the requested one: files have no others. */
  async read(address: Address, signal: AbortSignal): Promise<ReadResult> {
    requireName(address, 'directory.read');
    const found = await this.#store.find(address, { op: 'directory.read', target: address, signal });
    if (found === undefined) return { state: 'absent' };
    const fields = toFields(found, this.#trailingNewline);
    return { state: 'present', document: { address, fields, attributes: {}, version: found.version } };
  }

  async *readMany(addresses: Addresses, signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    const read = async (address: Address): Promise<ReadResult> => this.read(address, signal);
    yield* readEach(addresses, { width: CONCURRENCY, read, signal });
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return nameRefusalOf(address);
  }

  refusalOf(document: Document): Refusal | undefined {
    return documentRefusalOf(document);
  }

  async denied(needs: Iterable<Need>, signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const possible = repeatable(function* possible() {
      for (const need of needs) if (nameRefusalOf(need.address) === undefined) yield need;
    });
    try {
      return await this.#store.visit({ op: 'directory.denied', signal }, async (folder) =>
        findDenied(folder, possible),
      );
    } catch (failure) {
      if (hasCode(failure, 'AUTH_DENIED')) return allDenied(possible);
      throw failure;
    }
  }

  async write(document: Document, expect: Expectation, permit: Permit): Promise<Version> {
    const { address } = document;
    const op = 'directory.write';
    requireName(address, op);
    const refusal = documentRefusalOf(document);
    if (refusal !== undefined) {
      throw new OperatorError('DOCUMENT_REFUSED', { op, target: address, detail: refusal.message });
    }
    const content = toContent(document, this.#trailingNewline);
    const work = { op, permit };
    if (expect === 'absent') {
      return this.#store.change(address, work, async (change) => create(change, content));
    }
    try {
      return await this.#store.changeFound({ address, expect }, work, async (change, found) =>
        replace(change, found, content),
      );
    } catch (failure) {
      if (!hasCode(failure, 'NOT_FOUND')) throw failure;
      throw new OperatorError('VERSION_CONFLICT', { op, target: address });
    }
  }

  async delete(address: Address, expect: Version, permit: Permit): Promise<void> {
    requireName(address, 'directory.delete');
    await this.#store.changeFound({ address, expect }, { op: 'directory.delete', permit }, remove);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Owns no resource.
  }
}

/** The last check before the file system: a refused name never reaches it. */
function requireName(address: Address, op: string): void {
  const refusal = nameRefusalOf(address);
  if (refusal !== undefined) throw new OperatorError('DOCUMENT_REFUSED', { op, detail: refusal.message });
}
