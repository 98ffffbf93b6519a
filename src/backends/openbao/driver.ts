import type {
  Address,
  Document,
  Expectation,
  ReadResult,
  StoredDocument,
  Version,
} from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type {
  BackendDriver,
  DriverTraits,
  Entry,
  ListQuery,
  Need,
  Location,
  Probe,
  ReadOutcome,
  Refusal,
} from '../driver.ts';
import { decodeFields, encodeFields, planStorage, storageRefusalOf } from './codec.ts';
import type { StoragePlan } from './codec.ts';
import type { BaoConnection, OpenConnection } from './connection.ts';
import type { KvMount, KvRead, VersionInfo } from './kv.ts';
import { listTree } from './listing.ts';
import { Base64Marks, BASE64_MARKER, markerPatch } from './markers.ts';
import { joinPath, pathRefusalOf } from './path.ts';
import { probeServer } from './probe.ts';
import { readEach } from './read-each.ts';
import { findDenied } from './rights.ts';
import type { NeededRight } from './rights.ts';
import { MAX_FIELDS_WHERE_COUNTED } from './size.ts';

export interface OpenBaoDriverOptions {
  readonly connection: BaoConnection;
  readonly mount: string;
  /** Folder below the mount that all addresses are relative to; '' for the mount itself. */
  readonly prefix: string;
  readonly maxInFlight: number;
}

/**
 * KV version 2 of OpenBao, and of Vault up to the last open version. One document is one path, all fields in one
 * version. Requests per document: write 1 (3 when type, immutability or binary fields have to be marked), read 1, delete 3.
 *
 * A Version is the version number and, as its identity, the time the server made it: the number alone starts again at 1
 * after somebody removes the whole key.
 */
export class OpenBaoDriver implements BackendDriver {
  readonly kind = 'openbao';
  readonly traits: DriverTraits;
  /** A removed version can be undeleted: that is backup enough. */
  readonly backups = undefined;
  readonly projections = undefined;
  readonly #options: OpenBaoDriverOptions;
  #identity: string | undefined;
  #fieldLimit: number | undefined;

  constructor(options: OpenBaoDriverOptions) {
    this.#options = options;
    this.traits = {
      addressing: 'tree',
      concurrency: options.maxInFlight,
      keepsRevisions: true,
      statesAttributes: false,
    };
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    const open = await this.#open(signal);
    const probe = await probeServer({ ...open, mount: this.#options.mount }, signal);
    this.#identity = probe.identity;
    this.#fieldLimit = probe.capabilities.includes('FieldLimit498') ? MAX_FIELDS_WHERE_COUNTED : undefined;
    return probe;
  }

  locationOf(address: Address): Location {
    if (this.#identity === undefined) throw new OperatorError('INVARIANT', { op: 'openbao.location' });
    return { store: `openbao ${this.#identity}`, path: joinPath(this.#options.prefix, address) };
  }

  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Entry> {
    if (query.labelSelector !== undefined) {
      throw new OperatorError('CAPABILITY_MISSING', {
        op: 'openbao.list',
        detail: 'Documents of a KV store have no labels to select by.',
      });
    }
    const { kv } = await this.#open(signal);
    yield* listTree(kv, query.folder, signal);
  }

  async read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    this.#requireAddress(address, 'openbao.read');
    const { kv } = await this.#open(signal);
    return this.#toResult(address, await kv.read(address, signal, revision));
  }

  async *readMany(addresses: readonly Address[], signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    const read = (address: Address): Promise<ReadResult> => this.read(address, signal);
    yield* readEach(addresses, { width: this.#options.maxInFlight, read, signal });
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return pathRefusalOf(address) ?? pathRefusalOf(joinPath(this.#options.prefix, address));
  }

  refusalOf(document: Document): Refusal | undefined {
    return this.#refusalOf(document, planStorage(document));
  }

  #refusalOf(document: Document, plan: StoragePlan): Refusal | undefined {
    const limit = this.#fieldLimit;
    if (limit !== undefined && document.fields.size > limit) {
      return { reason: 'TooManyKeys', message: `The server takes at most ${limit} fields in one document.` };
    }
    return this.addressRefusalOf(document.address) ?? storageRefusalOf(document, plan);
  }

  async denied(needs: readonly Need[], signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const { kv, session } = await this.#open(signal);
    const question = {
      session,
      rightFor: (address: Address, verb: Need['verbs'][number]) => rightFor(kv, address, verb),
    };
    return findDenied(question, needs, signal);
  }

  async write(document: Document, expect: Expectation, signal: AbortSignal): Promise<Version> {
    this.#requireAddress(document.address, 'openbao.write');
    const { kv } = await this.#open(signal);
    return expect === 'absent'
      ? this.#create(kv, document, signal)
      : this.#replace(kv, document, { expect, signal });
  }

  /** One request for a document without markers; with markers they are there before the data is. */
  async #create(kv: KvMount, document: Document, signal: AbortSignal): Promise<Version> {
    const { address } = document;
    const plan = planStorage(document);
    this.#requireStorable(document, plan);
    if (Object.keys(plan.markers).length > 0) await this.#markNew(kv, address, { plan, signal });
    const written = await kv.write(address, encodeFields(document, plan), 0, signal);
    if (written.outcome === 'written') {
      await this.#clearLeftovers(kv, address, { written, plan, signal });
      return versionOf(written);
    }
    const current = await kv.read(address, signal);
    if (current.state !== 'absent') throw conflict('ALREADY_EXISTS', address);
    throw rejected(address);
  }

  /** Metadata of a name that already has a version belongs to that version: it is left alone. */
  async #markNew(
    kv: KvMount,
    address: Address,
    context: { readonly plan: StoragePlan; readonly signal: AbortSignal },
  ): Promise<void> {
    const { plan, signal } = context;
    const found = await kv.readMetadata(address, signal);
    if (found.state === 'absent') {
      await kv.createMetadata(address, plan.markers, signal);
      return;
    }
    if (found.currentVersion > 0) throw conflict('ALREADY_EXISTS', address);
    const patch = markerPatch(found.customMetadata, plan.markers);
    if (patch !== undefined) await kv.patchMetadata(address, patch, signal);
  }

  /** Markers of an earlier attempt that died between marker and data; the write's reply shows them for free. */
  async #clearLeftovers(
    kv: KvMount,
    address: Address,
    context: { readonly written: VersionInfo; readonly plan: StoragePlan; readonly signal: AbortSignal },
  ): Promise<void> {
    const patch = markerPatch(context.written.customMetadata, context.plan.markers);
    if (patch !== undefined) await kv.patchMetadata(address, patch, context.signal);
  }

  /** Replaces one version: its creation time is compared first, because check-and-set compares only the number. */
  async #replace(
    kv: KvMount,
    document: Document,
    context: { readonly expect: Version; readonly signal: AbortSignal },
  ): Promise<Version> {
    const { expect, signal } = context;
    const { address } = document;
    const current = await kv.read(address, signal);
    if (current.state === 'absent' || !sameVersion(versionOf(current), expect)) {
      throw conflict('VERSION_CONFLICT', address);
    }
    const marks = Base64Marks.parse(current.customMetadata.get(BASE64_MARKER), address);
    const plan = planStorage(document, marks, current.version + 1);
    this.#requireStorable(document, plan);
    const patch = markerPatch(current.customMetadata, plan.markers);
    if (patch !== undefined) await kv.patchMetadata(address, patch, signal);
    const written = await kv.write(address, encodeFields(document, plan), current.version, signal);
    if (written.outcome === 'written') return versionOf(written);
    const now = await kv.read(address, signal);
    if (now.state === 'absent' || !sameVersion(versionOf(now), expect)) {
      throw conflict('VERSION_CONFLICT', address);
    }
    throw rejected(address);
  }

  async delete(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    this.#requireAddress(address, 'openbao.delete');
    const { kv } = await this.#open(signal);
    const current = await kv.read(address, signal);
    if (current.state !== 'present') throw new OperatorError('NOT_FOUND', deleteOf(address));
    if (!sameVersion(versionOf(current), expect))
      throw new OperatorError('VERSION_CONFLICT', deleteOf(address));
    await kv.softDelete(address, current.version, signal);
    await this.#confirmDeleted(kv, { address, expect, signal });
  }

  /**
   * 204 is also the answer of a node that lags behind and did nothing; and a version that was written meanwhile is still
   * there: only the one that was named has gone.
   */
  async #confirmDeleted(
    kv: KvMount,
    context: { readonly address: Address; readonly expect: Version; readonly signal: AbortSignal },
  ): Promise<void> {
    const { address, expect, signal } = context;
    const after = await kv.read(address, signal);
    if (after.state !== 'present') return;
    if (!sameVersion(versionOf(after), expect))
      throw new OperatorError('VERSION_CONFLICT', deleteOf(address));
    throw new OperatorError('SERVER_ERROR', {
      ...deleteOf(address),
      detail: 'The version is still there after the server confirmed its deletion.',
      indeterminate: true,
    });
  }

  #toResult(address: Address, found: KvRead): ReadResult {
    if (found.state === 'absent') return found;
    const version = versionOf(found);
    if (found.state === 'deleted') return { state: 'deleted', version };
    const decoded = decodeFields({ ...found, target: address });
    const document: StoredDocument = { address, ...decoded, version };
    return { state: 'present', document };
  }

  #open(signal: AbortSignal): Promise<OpenConnection> {
    return this.#options.connection.open(signal);
  }

  /** The last gate before a request: refused addresses never leave the process. */
  #requireAddress(address: Address, op: string): void {
    const refusal = this.addressRefusalOf(address);
    if (refusal !== undefined) throw new OperatorError('DOCUMENT_REFUSED', { op, detail: refusal.message });
  }

  #requireStorable(document: Document, plan: StoragePlan): void {
    const refusal = this.#refusalOf(document, plan);
    if (refusal === undefined) return;
    throw new OperatorError('DOCUMENT_REFUSED', {
      op: 'openbao.write',
      target: document.address,
      detail: refusal.message,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.connection[Symbol.asyncDispose]();
  }
}

function versionOf(info: VersionInfo): Version {
  return { identity: info.createdTime, revision: String(info.version) };
}

function conflict(code: 'ALREADY_EXISTS' | 'VERSION_CONFLICT', address: Address): OperatorError {
  return new OperatorError(code, { op: 'openbao.write', target: address });
}

/** 400 although the state is as expected: it is the document that the server refuses. */
function rejected(address: Address): OperatorError {
  return new OperatorError('REQUEST_REJECTED', { op: 'openbao.write', target: address, status: 400 });
}

function deleteOf(address: Address): { readonly op: string; readonly target: Address } {
  return { op: 'openbao.delete', target: address };
}

/** Which right on which path a verb needs; a versioned delete is an update of its own tree. */
function rightFor(kv: KvMount, address: Address, verb: Need['verbs'][number]): NeededRight {
  return verb === 'delete'
    ? { path: kv.pathOf('delete', address), right: 'update' }
    : { path: kv.pathOf('data', address), right: verb };
}
