import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Permit, ServerTime } from '#src/ports.ts';
import type { Driver, DriverTraits, Location, Need, Probe, ReadOutcome } from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import type { Listed, ListedVersion, ListQuery } from '../listing.ts';
import type { Session } from './auth/session.ts';
import { decodeFields, encodeFields } from './codec.ts';
import type { BaoConnection } from './connection.ts';
import type { KeyedLock } from '#src/io/keyed-lock.ts';
import { isProblem } from '../listing-problem.ts';
import { listTree, requireNoSelector } from './listing.ts';
import { joinPath, pathRefusalOf } from './path.ts';
import type { Addresses } from '../addresses.ts';
import { readEach } from '../read-each.ts';
import { findDenied } from './rights.ts';
import { MAX_FIELDS_WHERE_COUNTED } from './size.ts';
import { fingerprintOf } from './v1-fingerprint.ts';
import { traitsOf, type RequestLimits } from './traits.ts';
import { V1KvMount } from './v1-kv.ts';
import type { Constants } from './probe.ts';
import { probeV1Server } from './v1-probe.ts';
import { v1RefusalOf } from './v1-refusal.ts';

export interface OpenBaoV1DriverOptions extends RequestLimits {
  readonly connection: BaoConnection;
  readonly mount: string;
  /** Folder below the mount that contains all addresses; '' for the mount itself. */
  readonly prefix: string;
  readonly serverTime: ServerTime;
  /** spec.openbao.allowUnsafeWrites. */
  readonly allowUnsafeWrites: boolean;
  /** 32 random bytes of this process, see v1-fingerprint.ts. */
  readonly fingerprintKey: Uint8Array;
  /** Shared by all backends of the process: it serializes at least the writers of this process. */
  readonly lock: KeyedLock;
}

const V1_PLAN = { labels: { base64: [] } } as const;
const V1_FIELDS = { customMetadata: new Map<string, string>(), version: 0, keepsNumbers: true } as const;

interface Opened {
  readonly session: Session;
  readonly kv: V1KvMount;
}

/**
 * KV version 1. Reads are as safe as in any other store. There is no check-and-set, so a write or delete can only read
 * just before: what another client writes between that read and the change is lost without a trace. Both are therefore
 * refused unless the spec allows them. A delete is final, because there are no earlier versions.
 */
export class OpenBaoV1Driver implements Driver {
  readonly kind = 'openbao';
  readonly serverTime: ServerTime;
  readonly traits: DriverTraits;
  readonly backups = undefined;
  readonly claims = undefined;
  readonly copies = undefined;
  readonly projections = undefined;
  readonly #options: OpenBaoV1DriverOptions;
  /** From the last probe, if it succeeded. */
  #constants: Constants | undefined;
  #identity: string | undefined;
  #keyLimit: number | undefined;

  constructor(options: OpenBaoV1DriverOptions) {
    this.#options = options;
    this.serverTime = options.serverTime;
    this.traits = traitsOf(options);
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    const { connection, mount, prefix, allowUnsafeWrites } = this.#options;
    const { client, session } = await connection.open(signal);
    const { kv } = await this.#open(signal);
    const known = this.#constants;
    this.#constants = undefined;
    const target = { client, session, kv, mount, prefix, allowUnsafeWrites };
    const { probe, constants } = await probeV1Server(target, known, signal);
    this.#constants = constants;
    this.#identity = probe.identity;
    this.#keyLimit = probe.capabilities.includes('KeyLimit498') ? MAX_FIELDS_WHERE_COUNTED : undefined;
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

  /** The names only: what stands in for a version here is made of the values. */
  async *versions(query: ListQuery, signal: AbortSignal): AsyncGenerator<ListedVersion> {
    for await (const listed of this.list(query, signal))
      yield isProblem(listed) ? listed : { address: listed.address, state: 'unknown' };
  }

  /** Returns the current revision: there are no others. */
  async read(address: Address, signal: AbortSignal): Promise<ReadResult> {
    this.#requireAddress(address, 'openbao.read');
    const { kv } = await this.#open(signal);
    const data = await kv.read(address, signal);
    if (data === undefined) return { state: 'absent' };
    const { fields } = decodeFields({ ...V1_FIELDS, data, target: address });
    const version = this.#versionOf(fields);
    return { state: 'present', document: { address, fields, attributes: {}, version } };
  }

  async *readMany(addresses: Addresses, signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    const read = (address: Address): Promise<ReadResult> => this.read(address, signal);
    yield* readEach(addresses, { width: () => this.traits.concurrency, read, signal });
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return pathRefusalOf(address) ?? pathRefusalOf(joinPath(this.#options.prefix, address));
  }

  refusalOf(document: Document): Refusal | undefined {
    return this.addressRefusalOf(document.address) ?? v1RefusalOf(document, this.#keyLimit);
  }

  async denied(needs: Iterable<Need>, signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const { session, kv } = await this.#open(signal);
    const rightFor = (address: Address, verb: Need['verbs'][number]) => ({
      path: kv.pathOf(address),
      right: verb,
    });
    return findDenied({ session, rightFor }, needs, signal);
  }

  async write(document: Document, expect: Expectation, permit: Permit): Promise<Version> {
    const { signal } = permit;
    const { address, fields } = document;
    this.#requireAddress(address, 'openbao.write');
    this.#requireAllowed('openbao.write', address);
    const refusal = this.refusalOf(document);
    if (refusal !== undefined) {
      throw new OperatorError('DOCUMENT_REFUSED', {
        op: 'openbao.write',
        target: address,
        detail: refusal.message,
      });
    }
    const { kv } = await this.#open(signal);
    return this.#exclusively(address, async () => {
      const current = await this.read(address, signal);
      requireExpected(current, expect, { op: 'openbao.write', target: address });
      await kv.write(address, encodeFields(document, V1_PLAN), permit);
      return this.#versionOf(fields);
    });
  }

  async delete(address: Address, expect: Version, permit: Permit): Promise<void> {
    const { signal } = permit;
    this.#requireAddress(address, 'openbao.delete');
    this.#requireAllowed('openbao.delete', address);
    const { kv } = await this.#open(signal);
    await this.#exclusively(address, async () => {
      const current = await this.read(address, signal);
      const about = { op: 'openbao.delete', target: address };
      if (current.state === 'absent') throw new OperatorError('NOT_FOUND', about);
      requireExpected(current, expect, about);
      await kv.remove(address, permit);
      await confirmRemoved(kv, address, signal);
    });
  }

  /**
   * By the physical location: two backends, or two generations of one, can lead to the same document. Only a probe finds
   * the store; no run changes a document before it.
   */
  async #exclusively<T>(address: Address, task: () => Promise<T>): Promise<T> {
    const { lock, mount, prefix } = this.#options;
    return lock.run([this.#identity ?? mount, joinPath(prefix, address)].join('\n'), task);
  }

  #versionOf(fields: Document['fields']): Version {
    return fingerprintOf(fields, this.#options.fingerprintKey);
  }

  async #open(signal: AbortSignal): Promise<Opened> {
    const { connection, mount, prefix } = this.#options;
    const { session } = await connection.open(signal);
    return { session, kv: new V1KvMount({ session, mount, prefix }) };
  }

  /** The last check before a request: a refused address never leaves the process. */
  #requireAddress(address: Address, op: string): void {
    const refusal = this.addressRefusalOf(address);
    if (refusal !== undefined) throw new OperatorError('DOCUMENT_REFUSED', { op, detail: refusal.message });
  }

  #requireAllowed(op: string, target: Address): void {
    if (this.#options.allowUnsafeWrites) return;
    throw new OperatorError('CAPABILITY_MISSING', {
      op,
      target,
      detail: 'KV version 1 cannot check what a write replaces.',
      hint: 'Use a mount of KV version 2, or set spec.openbao.allowUnsafeWrites.',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.connection[Symbol.asyncDispose]();
  }
}

/** The check by a read just before a change: this store offers no other. */
function requireExpected(
  current: ReadResult,
  expect: Expectation,
  about: { readonly op: string; readonly target: Address },
): void {
  if (expect === 'absent') {
    if (current.state !== 'absent') throw new OperatorError('ALREADY_EXISTS', about);
  } else if (current.state !== 'present' || !sameVersion(current.document.version, expect)) {
    throw new OperatorError('VERSION_CONFLICT', about);
  }
}

/** A node that lags behind also replies 204, and does nothing. */
async function confirmRemoved(kv: V1KvMount, address: Address, signal: AbortSignal): Promise<void> {
  if ((await kv.read(address, signal)) === undefined) return;
  throw new OperatorError('SERVER_ERROR', {
    op: 'openbao.delete',
    target: address,
    detail: 'The document exists after the server confirmed its deletion.',
    indeterminate: true,
  });
}
