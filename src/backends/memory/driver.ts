import { sameVersion } from '#src/core/document.ts';
import type {
  Address,
  Document,
  Expectation,
  ReadResult,
  StoredDocument,
  Version,
} from '#src/core/document.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type {
  BackupStore,
  ClaimStore,
  CopyStore,
  Driver,
  DriverTraits,
  Location,
  Need,
  Probe,
  ProjectionStore,
  ReadOutcome,
} from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import type { Listed, ListedVersion, ListQuery } from '../listing.ts';
import type { Addresses } from '../addresses.ts';
import { readEach } from '../read-each.ts';
import { MemoryBackups, MemoryCopies } from './backups.ts';
import type { Call, Hooks } from './hooks.ts';
import { isProblem } from '../listing-problem.ts';
import { listedIn, versionAt } from './listing.ts';
import { addressRefusalOf, refusalOf } from './refusals.ts';
import type { MemoryStore, State } from './store.ts';
import { mergedPairs, presentIn, withReplaced } from './written.ts';

export interface MemoryDriverOptions {
  readonly store: MemoryStore;
  readonly hooks?: Hooks | undefined;
  /** The rights that the credentials lack. Default: none. */
  readonly mayNot?: ((verb: Verb, address: Address) => boolean) | undefined;
}

export type Verb = Need['verbs'][number] | 'list';

/** Concurrent reads. */
const CONCURRENCY = 8;

const VERBS: Partial<Record<Call['operation'], readonly Verb[]>> = {
  list: ['list'],
  versions: ['list'],
  read: ['read'],
  has: ['read'],
  readBackup: ['read'],
  finish: ['update'],
  undo: ['update'],
  undelete: ['update'],
  recreate: ['read', 'delete', 'create'],
  mark: ['read', 'update'],
  unmark: ['read', 'update'],
  delete: ['delete'],
  retire: ['read', 'create', 'delete'],
  discard: ['delete'],
  keep: ['read', 'create'],
  discardExpired: ['delete'],
};

/**
 * A backend for tests: every rule of the contract, in a Map. It is not part of the product; a test of the architecture
 * checks that no source imports it.
 */
export class MemoryDriver implements Driver {
  readonly kind = 'memory';
  readonly serverTime = undefined;
  readonly traits: DriverTraits;
  readonly backups: BackupStore | undefined;
  readonly claims: ClaimStore | undefined;
  readonly copies: CopyStore | undefined;
  readonly projections: ProjectionStore | undefined;
  readonly writeAndRead: Driver['writeAndRead'];
  readonly #store: MemoryStore;
  readonly #options: MemoryDriverOptions;
  #isProbed = false;

  constructor(options: MemoryDriverOptions) {
    const { store } = options;
    const { addressing, statesAttributes, holdsJson, keepsBackups, keepsCopies, keepsProjections } =
      store.traits;
    this.#store = store;
    this.#options = options;
    const held = holdsJson ? { holdsJson } : {};
    const paged = store.traits.readsInPages ? ({ readsInPages: true } as const) : {};
    this.traits = { addressing, concurrency: CONCURRENCY, statesAttributes, ...held, ...paged };
    const change = {
      store,
      perform: async <T>(call: Call, by: AbortSignal | Permit, work: () => T) =>
        this.#perform(call, by, work),
      requireCurrent: (call: Call, expect: Version) => this.#requireCurrent(call, expect),
    };
    this.writeAndRead = store.traits.showsWritten
      ? async (document, expect, permit) => this.#write(document, expect, permit)
      : undefined;
    this.backups = keepsBackups ? new MemoryBackups(change) : undefined;
    this.copies = keepsCopies ? new MemoryCopies(change) : undefined;
    this.claims = statesAttributes
      ? {
          claim: async (address, expect, by, permit) => this.#claim({ address, expect, by }, permit),
          release: async (isStale, permit, among) => this.#release(isStale, permit, among),
        }
      : undefined;
    this.projections = keepsProjections
      ? {
          mark: async (address, expect, origin, permit) => this.#mark({ address, expect, origin }, permit),
          unmark: async (address, expect, origin, permit) =>
            this.#unmark({ address, expect, origin }, permit),
        }
      : undefined;
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    const { name, keepsRevisions, canExpire } = this.#store.traits;
    return this.#perform({ operation: 'probe', address: '' }, signal, () => {
      this.#isProbed = true;
      return {
        server: { product: 'memory', version: '1' },
        identity: name,
        capabilities: [
          'ConditionalWrite',
          ...(keepsRevisions ? (['Versions'] as const) : []),
          ...(canExpire ? (['Expiry'] as const) : []),
        ],
      };
    });
  }

  locationOf(address: Address): Location {
    if (!this.#isProbed) throw new OperatorError('INVARIANT', { op: 'memory.location' });
    return { store: `memory ${this.#store.traits.name}`, path: address };
  }

  async isLeaving(signal: AbortSignal): Promise<boolean> {
    return this.#perform({ operation: 'isLeaving', address: '' }, signal, () => this.#store.isLeaving);
  }

  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Listed> {
    for await (const listed of this.#listed('list', query, signal)) {
      if (!isProblem(listed) && this.#store.traits.listsVersions) {
        const state = versionAt(this.#store, listed.address);
        if ('version' in state && state.state === 'present') query.onVersion?.(listed.address, state.version);
      }
      yield listed;
    }
  }

  async *versions(query: ListQuery, signal: AbortSignal): AsyncGenerator<ListedVersion> {
    for await (const listed of this.#listed('versions', query, signal))
      yield isProblem(listed) ? listed : versionAt(this.#store, listed.address);
  }

  async *#listed(
    operation: 'list' | 'versions',
    query: ListQuery,
    signal: AbortSignal,
  ): AsyncGenerator<Listed> {
    if (query.labelSelector !== undefined && this.traits.addressing === 'tree') {
      throw new OperatorError('CAPABILITY_MISSING', { op: 'memory.list' });
    }
    const call: Call = { operation, address: query.folder };
    const mayList = (folder: Address): boolean => this.#options.mayNot?.('list', folder) !== true;
    for (const listed of await this.#perform(call, signal, () => listedIn(this.#store, query, mayList))) {
      signal.throwIfAborted();
      yield listed;
    }
  }

  async read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    this.#requireAddress('read', address);
    return this.#perform({ operation: 'read', address, revision }, signal, () =>
      this.#store.resultOf(address, this.#store.stateAt(address, revision)),
    );
  }

  async *readMany(addresses: Addresses, signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    const read = async (address: Address): Promise<ReadResult> => this.read(address, signal);
    yield* readEach(addresses, { width: CONCURRENCY, read, signal });
  }

  refusalOf(document: Document): Refusal | undefined {
    return refusalOf(this.#store, document);
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return addressRefusalOf(this.#store, address);
  }

  async denied(needs: Iterable<Need>, signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const { mayNot } = this.#options;
    return this.#perform({ operation: 'denied', address: '' }, signal, () => {
      const lacking = [...needs].flatMap(({ address, verbs }) => {
        const verb = verbs.find((each) => mayNot?.(each, address) === true);
        const message = `The credentials may not ${verb} this document.`;
        return verb === undefined ? [] : [[address, { reason: 'PermissionDenied', message }] as const];
      });
      return new Map(lacking);
    });
  }

  async write(document: Document, expect: Expectation, permit: Permit): Promise<Version> {
    return (await this.#write(document, expect, permit)).version;
  }

  async #write(document: Document, expect: Expectation, permit: Permit): Promise<StoredDocument> {
    const { address } = document;
    const refusal = this.refusalOf(document);
    if (refusal !== undefined) {
      throw new OperatorError('DOCUMENT_REFUSED', { op: 'memory.write', detail: refusal.message });
    }
    return this.#perform({ operation: 'write', address }, permit, () => {
      this.#requireRight(expect === 'absent' ? 'create' : 'update', address);
      if (this.#store.hasExpired(document.attributes)) throw failed('EXPIRED', 'write', address);
      const current = this.#store.currentAt(address);
      requireExpected(current, expect, address);
      if (current !== undefined && this.#store.isFixed(document))
        throw failed('DOCUMENT_IMMUTABLE', 'write', address);
      this.#store.append(withReplaced(this.#store.traits.admits(document), expect));
      return presentIn(this.#store.resultOf(address, this.#store.currentAt(address)));
    });
  }

  /** Another incarnation, as of a Secret. */
  async recreate(document: Document, expect: Version, permit: Permit): Promise<Version> {
    const { address } = document;
    this.#requireAddress('recreate', address);
    const call: Call = { operation: 'recreate', address };
    return this.#perform(call, permit, () => {
      const { attributes } = this.#requireCurrent(call, expect);
      const pairs = mergedPairs(attributes, document.attributes);
      const immutable = attributes.immutable === true ? { immutable: true as const } : {};
      this.#store.purge(address);
      return this.#store.append(
        withReplaced({ ...document, attributes: { ...document.attributes, ...pairs, ...immutable } }, expect),
      );
    });
  }

  async delete(address: Address, expect: Version, permit: Permit): Promise<void> {
    this.#requireAddress('delete', address);
    const call: Call = { operation: 'delete', address };
    await this.#perform(call, permit, () => {
      this.#requireCurrent(call, expect);
      this.#store.remove(address);
    });
  }

  /** Adds metadata, labels and annotations of the document, the last step of a write. */
  async finish({ address, attributes: added }: Document, expect: Version, permit: Permit): Promise<void> {
    this.#requireAddress('finish', address);
    const call: Call = { operation: 'finish', address };
    await this.#perform(call, permit, () => {
      const { isUnfinished: _done, ...finished } = this.#requireCurrent(call, expect);
      const attributes = { ...finished.attributes, ...mergedPairs(finished.attributes, added) };
      this.#store.replaceCurrent(address, { ...finished, attributes });
    });
  }

  async undo(address: Address, expect: Version, permit: Permit): Promise<void> {
    this.#requireAddress('undo', address);
    const call: Call = { operation: 'undo', address };
    await this.#perform(call, permit, () => {
      const current = this.#store.currentAt(address);
      if (current === undefined) throw failed('NOT_FOUND', 'undo', address);
      if (!sameVersion(current.version, expect)) throw failed('VERSION_CONFLICT', 'undo', address);
      const { isUnfinished: _unfinished, isPrepared: _prepared, ...left } = current;
      this.#store.replaceCurrent(address, left);
    });
  }

  async undelete(address: Address, expect: Version, permit: Permit): Promise<void> {
    this.#requireAddress('undelete', address);
    await this.#perform({ operation: 'undelete', address }, permit, () => {
      const current = this.#store.currentAt(address);
      if (current === undefined) throw failed('NOT_FOUND', 'undelete', address);
      if (!sameVersion(current.version, expect)) throw failed('VERSION_CONFLICT', 'undelete', address);
      const { isDeleted: _deleted, ...again } = current;
      this.#store.replaceCurrent(address, again);
    });
  }

  async overwriteRefusal(address: Address, signal: AbortSignal): Promise<Refusal | undefined> {
    this.#requireAddress('overwriteRefusal', address);
    return this.#perform({ operation: 'overwriteRefusal', address }, signal, () =>
      this.#store.keptAt(address) > 1
        ? undefined
        : { reason: 'CapabilityMissing', message: 'The store keeps one revision of this address.' },
    );
  }

  /** A mark makes a new version of the document, as for a Secret. */
  async #mark(
    { address, expect, origin }: { address: Address; expect: Version; origin: string },
    permit: Permit,
  ): Promise<void> {
    this.#requireAddress('mark', address);
    const call: Call = { operation: 'mark', address };
    await this.#perform(call, permit, () => {
      const current = this.#requireCurrent(call, expect);
      if (current.origin === origin) return;
      const found = this.#store.resultOf(address, current);
      if (found.state === 'present') this.#store.append(found.document);
      this.#store.alter(address, { origin });
    });
  }

  async #unmark(
    { address, expect, origin }: { address: Address; expect: Version; origin: string },
    permit: Permit,
  ): Promise<void> {
    this.#requireAddress('unmark', address);
    const call: Call = { operation: 'unmark', address };
    await this.#perform(call, permit, () => {
      const current = this.#requireCurrent(call, expect);
      if (current.origin !== origin) return;
      const found = this.#store.resultOf(address, current);
      if (found.state === 'present') this.#store.append(found.document);
    });
  }

  /** A claim makes a new version of the document, as for a Secret. */
  async #claim(
    { address, expect, by }: { address: Address; expect: Version; by: string },
    permit: Permit,
  ): Promise<Version> {
    this.#requireAddress('claim', address);
    const call: Call = { operation: 'claim', address };
    return this.#perform(call, permit, () => {
      this.#requireCurrent(call, expect);
      return this.#store.touch(address, { claim: by });
    });
  }

  async #release(
    isStale: (by: string) => boolean,
    permit: Permit,
    among: () => Promise<Iterable<Address>>,
  ): Promise<void> {
    const mayList = this.#options.mayNot?.('list', '') !== true;
    const candidates = mayList ? this.#store.addresses() : new Set(await among());
    await this.#perform({ operation: 'release', address: '' }, permit, () => {
      for (const address of candidates) {
        const { claim } = this.#store.currentAt(address) ?? {};
        if (claim !== undefined && isStale(claim)) this.#store.touch(address, { claim: undefined });
      }
    });
  }

  /** Runs one call with its hooks; nothing else changes the store between the two hooks. */
  async #perform<T>(call: Call, by: AbortSignal | Permit, work: () => T): Promise<T> {
    const { hooks } = this.#options;
    const signal = 'require' in by ? by.signal : by;
    signal.throwIfAborted();
    await hooks?.before?.(call);
    for (const verb of VERBS[call.operation] ?? []) this.#requireRight(verb, call.address);
    if ('require' in by) by.require();
    const result = work();
    await hooks?.after?.(call);
    return result;
  }

  #requireCurrent({ operation, address }: Call, expect: Version): State {
    const current = this.#store.currentAt(address);
    if (current === undefined || current.isDeleted === true) throw failed('NOT_FOUND', operation, address);
    if (!sameVersion(current.version, expect)) throw failed('VERSION_CONFLICT', operation, address);
    return current;
  }

  #requireRight(verb: Verb, address: Address): void {
    if (this.#options.mayNot?.(verb, address) === true) throw failed('AUTH_DENIED', verb, address);
  }

  #requireAddress(operation: string, address: Address): void {
    if (this.addressRefusalOf(address) !== undefined) throw failed('DOCUMENT_REFUSED', operation, address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The store outlives its drivers.
  }
}

function failed(code: ErrorCode, operation: string, target: Address): OperatorError {
  return new OperatorError(code, { op: `memory.${operation}`, target });
}

function requireExpected(current: State | undefined, expect: Expectation, address: Address): void {
  if (expect === 'absent') {
    if (current !== undefined) throw failed('ALREADY_EXISTS', 'write', address);
  } else if (current === undefined || !sameVersion(current.version, expect)) {
    throw failed('VERSION_CONFLICT', 'write', address);
  }
}
