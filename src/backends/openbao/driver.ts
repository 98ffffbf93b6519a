import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Clock, Permit, Random, ServerTime } from '#src/ports.ts';
import type { Driver, DriverTraits, Need, Location, Probe, ReadOutcome } from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import type { Listed, ListedVersion, ListQuery } from '../listing.ts';
import type { WriteHint } from '../hints.ts';
import { planStorage, storageRefusalOf } from './codec.ts';
import type { StoragePlan } from './codec.ts';
import type { BaoConnection, OpenConnection } from './connection.ts';
import type { KvMount } from './kv.ts';
import { listTree, requireNoSelector } from './listing.ts';
import { readMountConfig } from './mount-config.ts';
import type { MountConfig } from './mount-config.ts';
import { joinPath, pathRefusalOf } from './path.ts';
import { Preparations } from './preparation.ts';
import { probeServer } from './probe.ts';
import type { Constants } from './probe.ts';
import type { Addresses } from '../addresses.ts';
import { readEach } from '../read-each.ts';
import { readStored } from './reading.ts';
import { overwriteRefusalOf } from './retention.ts';
import { findDenied } from './rights.ts';
import type { NeededRight } from './rights.ts';
import { countRefusalOf, MAX_FIELDS_WHERE_COUNTED } from './size.ts';
import { traitsOf, type RequestLimits } from './traits.ts';
import { VersionListing } from './versions.ts';
import { DocumentWriter, versionOf } from './writer.ts';

export interface OpenBaoDriverOptions extends RequestLimits {
  readonly connection: BaoConnection;
  readonly mount: string;
  /** Folder below the mount that contains all addresses; '' for the mount itself. */
  readonly prefix: string;
  readonly serverTime: ServerTime;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * KV version 2 of OpenBao, and of Vault up to its last open-source version. One document is one path, with all keys in
 * one version. Requests per document: write 1 (3 to 6 if it has a type, binary values or metadata, is immutable or
 * expires; see writer.ts), read 1 (2 if it expires), delete 3.
 *
 * A Version is the version number and, as its identity, the time at which the server created it: the number alone
 * starts again at 1 after a client removes the whole path.
 */
export class OpenBaoDriver implements Driver {
  readonly kind = 'openbao';
  readonly serverTime: ServerTime;
  readonly traits: DriverTraits;
  /** A removed version can be undeleted, so no backup is needed. */
  readonly backups = undefined;
  readonly claims = undefined;
  readonly copies = undefined;
  readonly projections = undefined;
  readonly #options: OpenBaoDriverOptions;
  /** From the last probe, if it succeeded. */
  #constants: Constants | undefined;
  #identity: string | undefined;
  #keyLimit: number | undefined;
  #canExpire = true;
  #config: MountConfig | 'unreadable' | undefined;
  readonly #versions = new VersionListing();

  constructor(options: OpenBaoDriverOptions) {
    this.#options = options;
    this.serverTime = options.serverTime;
    this.traits = traitsOf(options);
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    const open = await this.#open(signal);
    const known = this.#constants;
    this.#constants = undefined;
    this.#versions.forget();
    const { mount, prefix } = this.#options;
    const { probe, constants, config } = await probeServer({ ...open, mount, prefix }, known, signal);
    this.#constants = constants;
    this.#config = config ?? 'unreadable';
    this.#identity = probe.identity;
    this.#keyLimit = probe.capabilities.includes('KeyLimit498') ? MAX_FIELDS_WHERE_COUNTED : undefined;
    this.#canExpire = probe.capabilities.includes('Expiry');
    return probe;
  }

  acceptedPerSecond(): number | undefined {
    return this.#options.turns.perSecond;
  }

  locationOf(address: Address): Location {
    if (this.#identity === undefined) throw new OperatorError('INVARIANT', { op: 'openbao.location' });
    return { store: `openbao ${this.#identity}`, path: joinPath(this.#options.prefix, address) };
  }

  /** A mount that is being disabled refuses every request at once. */
  async isLeaving(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Listed> {
    requireNoSelector(query);
    const { kv } = await this.#open(signal);
    const refusalOf = (address: Address): Refusal | undefined => this.addressRefusalOf(address);
    yield* listTree({ kv, refusalOf, width: () => this.traits.concurrency }, query, signal);
  }

  async *versions(query: ListQuery, signal: AbortSignal): AsyncGenerator<ListedVersion> {
    requireNoSelector(query);
    const { kv } = await this.#open(signal);
    const refusalOf = (address: Address): Refusal | undefined => this.addressRefusalOf(address);
    yield* this.#versions.list({ kv, refusalOf, width: () => this.traits.concurrency }, query, signal);
  }

  async read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    this.#requireAddress(address, 'openbao.read');
    const { kv } = await this.#open(signal);
    return readStored(kv, { address, revision }, signal);
  }

  async *readMany(addresses: Addresses, signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    const read = (address: Address): Promise<ReadResult> => this.read(address, signal);
    yield* readEach(addresses, { width: () => this.traits.concurrency, read, signal });
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return pathRefusalOf(address) ?? pathRefusalOf(joinPath(this.#options.prefix, address));
  }

  refusalOf(document: Document): Refusal | undefined {
    return this.#refusalOf(document, planStorage(document));
  }

  #refusalOf(document: Document, plan: StoragePlan): Refusal | undefined {
    const countRefusal = countRefusalOf(document.fields, this.#keyLimit);
    if (countRefusal !== undefined) return countRefusal;
    if (!this.#canExpire && document.attributes.expiresAt !== undefined) {
      return { reason: 'ExpiryRefused', message: CANNOT_EXPIRE };
    }
    return this.addressRefusalOf(document.address) ?? storageRefusalOf(document, plan);
  }

  async denied(needs: Iterable<Need>, signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const { kv, session } = await this.#open(signal);
    const question = {
      session,
      rightFor: (address: Address, verb: Need['verbs'][number]) => rightFor(kv, address, verb),
    };
    return findDenied(question, needs, signal);
  }

  async write(document: Document, expect: Expectation, permit: Permit, hint?: WriteHint): Promise<Version> {
    this.#requireAddress(document.address, 'openbao.write');
    return (await this.#writer(permit.signal)).write(document, { expect, hint }, permit);
  }

  async finish(document: Document, expect: Version, permit: Permit): Promise<void> {
    this.#requireAddress(document.address, 'openbao.finish');
    await (await this.#writer(permit.signal)).finish(document, expect, permit);
  }

  async undo(address: Address, expect: Version, permit: Permit): Promise<void> {
    this.#requireAddress(address, 'openbao.undo');
    await (await this.#writer(permit.signal)).undo(address, expect, permit);
  }

  /** The setting of the path decides together with that of the mount; both are unknown without the right to read them. */
  async overwriteRefusal(address: Address, signal: AbortSignal): Promise<Refusal | undefined> {
    this.#requireAddress(address, 'openbao.retention');
    const { kv } = await this.#open(signal);
    return overwriteRefusalOf(kv, { address, config: await this.#mountConfig(signal) }, signal);
  }

  async #mountConfig(signal: AbortSignal): Promise<MountConfig | undefined> {
    const { session } = await this.#open(signal);
    this.#config ??= (await readMountConfig({ session, mount: this.#options.mount }, signal)) ?? 'unreadable';
    return this.#config === 'unreadable' ? undefined : this.#config;
  }

  async #writer(signal: AbortSignal): Promise<DocumentWriter> {
    const { kv } = await this.#open(signal);
    const { clock, random } = this.#options;
    const hasMetadataCas = async () => (await this.#mountConfig(signal))?.hasMetadataCas ?? false;
    const preparations = new Preparations({
      metadata: kv.metadata,
      clock,
      hasMetadataCas,
      newWriter: () => writerName(random),
    });
    const refusalOf = (document: Document, plan: StoragePlan) => this.#refusalOf(document, plan);
    return new DocumentWriter({ kv, preparations, refusalOf });
  }

  async delete(address: Address, expect: Version, permit: Permit): Promise<void> {
    const { signal } = permit;
    this.#requireAddress(address, 'openbao.delete');
    const { kv } = await this.#open(signal);
    const current = await kv.read(address, signal);
    if (current.state !== 'present') throw new OperatorError('NOT_FOUND', deleteOf(address));
    if (!sameVersion(versionOf(current), expect))
      throw new OperatorError('VERSION_CONFLICT', deleteOf(address));
    await kv.softDelete(address, current.version, permit);
    await this.#confirmDeleted(kv, { address, expect, signal });
  }

  /**
   * A node that lags behind also replies 204, and does nothing. If another client wrote a version meanwhile, that
   * version still exists: the delete removes only the named one.
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
      detail: 'The version exists after the server confirmed its deletion.',
      indeterminate: true,
    });
  }

  async undelete(address: Address, expect: Version, permit: Permit): Promise<void> {
    const { signal } = permit;
    const about = { op: 'openbao.undelete', target: address };
    this.#requireAddress(address, about.op);
    const { kv } = await this.#open(signal);
    const current = await kv.read(address, signal);
    if (current.state === 'absent') throw new OperatorError('NOT_FOUND', about);
    if (!sameVersion(versionOf(current), expect)) throw new OperatorError('VERSION_CONFLICT', about);
    if (current.state === 'deleted') await kv.metadata.undelete(address, [current.version], permit);
  }

  #open(signal: AbortSignal): Promise<OpenConnection> {
    return this.#options.connection.open(signal);
  }

  /** The last check before a request: a refused address never leaves the process. */
  #requireAddress(address: Address, op: string): void {
    const refusal = this.addressRefusalOf(address);
    if (refusal !== undefined) throw new OperatorError('DOCUMENT_REFUSED', { op, detail: refusal.message });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.connection[Symbol.asyncDispose]();
  }
}

/** Covers both reasons why a mount cannot store a document that expires. */
const CANNOT_EXPIRE =
  'The source expires, and the mount keeps versions forever (delete_version_after below zero), or its configuration cannot be read.';

/** Eight hexadecimal digits. */
function writerName(random: Random): string {
  return Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0');
}

function deleteOf(address: Address): { readonly op: string; readonly target: Address } {
  return { op: 'openbao.delete', target: address };
}

/** The right on the path that a verb needs; the delete of a version is an update in the `delete` tree. */
function rightFor(kv: KvMount, address: Address, verb: Need['verbs'][number]): NeededRight {
  return verb === 'delete'
    ? { path: kv.pathOf('delete', address), right: 'update' }
    : { path: kv.pathOf('data', address), right: verb };
}
