import type { Address, Document } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { AccessRecord, Permit } from '#src/ports.ts';
import { AddressTranslator, type AddressMapping } from './address-mapping.ts';
import type { BackupStore, ClaimStore, CopyStore, Driver, ProjectionStore } from './driver.ts';

/** What a layer must know about an operation. */
export interface OperationTraits {
  /** It changes something. Without a reply its result is unknown, so it is never repeated. */
  readonly changes: boolean;
  /** It accesses a value; the audit log names it with this word. */
  readonly recordedAs?: AccessRecord['operation'];
}

/** Every operation of the contract that reaches the store. The metrics use its name as a label. */
export const OPERATIONS = {
  probe: { changes: false },
  list: { changes: false },
  versions: { changes: false },
  read: { changes: false, recordedAs: 'read' },
  readMany: { changes: false, recordedAs: 'read' },
  denied: { changes: false },
  overwriteRefusal: { changes: false },
  write: { changes: true, recordedAs: 'write' },
  recreate: { changes: true, recordedAs: 'write' },
  delete: { changes: true, recordedAs: 'delete' },
  finish: { changes: true },
  undo: { changes: true },
  undelete: { changes: true, recordedAs: 'write' },
  retire: { changes: true, recordedAs: 'backup' },
  discard: { changes: true, recordedAs: 'delete' },
  keep: { changes: true, recordedAs: 'backup' },
  discardExpired: { changes: true, recordedAs: 'delete' },
  mark: { changes: true },
  unmark: { changes: true },
  claim: { changes: true },
  release: { changes: true },
  isLeaving: { changes: false },
} as const satisfies Readonly<Record<string, OperationTraits>>;

export type Operation = keyof typeof OPERATIONS;

/** One operation, as its caller sees it, before it is passed to the driver below. */
export interface Call {
  readonly operation: Operation;
  /** Every address that it reaches; the first is the address from the caller. None of an operation on many documents. */
  readonly addresses: readonly Address[];
  readonly signal: AbortSignal;
  /** The revision that it requests or expects. */
  readonly revision?: string | undefined;
  /** The document that it stores. */
  readonly document?: Document;
}

/** A driver with every member of the contract, optional ones included: `writeAndRead` only if the store has it. */
export type LayeredDriver = Required<Omit<Driver, 'writeAndRead'>> & Pick<Driver, 'writeAndRead'>;

/** How a layer differs from the driver below it. Everything else is passed on unchanged. */
export interface Layer {
  /** Runs an operation: `next` passes it on. */
  readonly around?: <T>(call: Call, next: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Runs an operation that returns an iterable: `next` passes it on. */
  readonly iterate?: <T>(call: Call, next: () => AsyncIterable<T>) => AsyncIterable<T>;
  readonly mapping?: AddressMapping;
  /** Members that replace those of `base`, the driver with the rest of this layer around it. */
  readonly overrides?: (base: LayeredDriver) => Partial<LayeredDriver>;
}

/**
 * A driver with a layer around it. Only this module passes operations on; the return types below make it an error to
 * forget one. A layer does not own the driver below: disposing of the layer does nothing, unless `overrides` says
 * otherwise.
 */
export function layered(driver: Driver, layer: Layer): LayeredDriver {
  const relay = new Relay(layer);
  const base: LayeredDriver = {
    ...readsOf(driver, relay),
    ...changesOf(driver, relay),
    backups: driver.backups && backupsOf(driver.backups, relay),
    claims: driver.claims && claimsOf(driver.claims, relay),
    copies: driver.copies && copiesOf(driver.copies, relay),
    projections: driver.projections && projectionsOf(driver.projections, relay),
    [Symbol.asyncDispose]: async () => Promise.resolve(),
  };
  return { ...base, ...layer.overrides?.(base) };
}

type Changes = 'write' | 'writeAndRead' | 'recreate' | 'delete' | 'finish' | 'undo' | 'undelete';
type Reads = Exclude<
  keyof Driver,
  Changes | 'backups' | 'claims' | 'copies' | 'projections' | typeof Symbol.asyncDispose
>;

function readsOf(driver: Driver, relay: Relay): Pick<LayeredDriver, Reads> {
  return {
    kind: driver.kind,
    traits: driver.traits,
    acceptedPerSecond: () => driver.acceptedPerSecond?.(),
    serverTime: driver.serverTime,
    probe: async (signal) =>
      relay.call({ operation: 'probe', addresses: [], signal }, async (inner) => driver.probe(inner)),
    list: (query, signal) =>
      relay.iterate(
        { operation: 'list', addresses: [query.folder], signal },
        () => driver.list(relay.queryIn(query), signal),
        (listed) => relay.listedOut(listed),
      ),
    versions: (query, signal) =>
      relay.iterate(
        { operation: 'versions', addresses: [query.folder], signal },
        () => driver.versions(relay.queryIn(query), signal),
        (listed) => relay.listedOut(listed),
      ),
    read: async (address, signal, revision) =>
      relay.resultOut(
        await relay.call({ operation: 'read', addresses: [address], revision, signal }, async (inner) =>
          driver.read(relay.in(address), inner, revision),
        ),
      ),
    readMany: (addresses, signal, scope) =>
      relay.iterate(
        { operation: 'readMany', addresses: [], signal },
        () => driver.readMany(relay.allIn(addresses), signal, scope),
        (outcome) => relay.outcomeOut(outcome),
      ),
    refusalOf: (document) => driver.refusalOf(relay.placedIn(document)),
    addressRefusalOf: (address) => driver.addressRefusalOf(relay.in(address)),
    locationOf: (address) => driver.locationOf(relay.in(address)),
    overwriteRefusal: async (address, signal) =>
      relay.call({ operation: 'overwriteRefusal', addresses: [address], signal }, async (inner) =>
        driver.overwriteRefusal?.(relay.in(address), inner),
      ),
    isLeaving: async (signal) =>
      relay.call({ operation: 'isLeaving', addresses: [], signal }, async (inner) => driver.isLeaving(inner)),
    denied: async (needs, signal) =>
      relay.refusalsOut(
        await relay.call({ operation: 'denied', addresses: [], signal }, async (inner) =>
          driver.denied(relay.allPlacedIn(needs), inner),
        ),
      ),
  };
}

function changesOf(driver: Driver, relay: Relay): Pick<LayeredDriver, Changes> {
  return {
    write: async (document, expect, permit, hint) =>
      relay.change({ operation: 'write', addresses: [document.address], document }, permit, async (inner) =>
        driver.write(relay.placedIn(document), expect, inner, hint),
      ),
    writeAndRead: writeAndReadOf(driver, relay),
    recreate: async (document, expect, permit) =>
      relay.change(
        {
          operation: 'recreate',
          addresses: [document.address],
          revision: expect.revision,
          document,
        },
        permit,
        async (inner) => {
          if (driver.recreate !== undefined) return driver.recreate(relay.placedIn(document), expect, inner);
          throw new OperatorError('CAPABILITY_MISSING', { op: 'backend.recreate' });
        },
      ),
    delete: async (address, expect, permit) =>
      relay.change(
        { operation: 'delete', addresses: [address], revision: expect.revision },
        permit,
        async (inner) => driver.delete(relay.in(address), expect, inner),
      ),
    finish: async (document, expect, permit) =>
      relay.change(
        { operation: 'finish', addresses: [document.address], revision: expect.revision },
        permit,
        async (inner) => driver.finish?.(relay.placedIn(document), expect, inner),
      ),
    undo: async (address, expect, permit) =>
      relay.change(
        { operation: 'undo', addresses: [address], revision: expect.revision },
        permit,
        async (inner) => driver.undo?.(relay.in(address), expect, inner),
      ),
    undelete: async (address, expect, permit) =>
      relay.change(
        { operation: 'undelete', addresses: [address], revision: expect.revision },
        permit,
        async (inner) => {
          if (driver.undelete !== undefined) return driver.undelete(relay.in(address), expect, inner);
          throw new OperatorError('CAPABILITY_MISSING', { op: 'backend.undelete' });
        },
      ),
  };
}

/** The same operation as `write`. */
function writeAndReadOf(driver: Driver, relay: Relay): Driver['writeAndRead'] {
  const write = driver.writeAndRead?.bind(driver);
  if (write === undefined) return undefined;
  return async (document, expect, permit) => {
    const { address } = document;
    const call = { operation: 'write', addresses: [address], document } as const;
    const stored = await relay.change(call, permit, async (inner) =>
      write(relay.placedIn(document), expect, inner),
    );
    return { ...stored, address };
  };
}

function backupsOf(backups: BackupStore, relay: Relay): Required<BackupStore> {
  const backupOf = (address: Address): Address => relay.out(backups.addressOf(relay.in(address)));
  return {
    addressOf: backupOf,
    has: async (address, signal) =>
      relay.call({ operation: 'read', addresses: [address, backupOf(address)], signal }, async (inner) =>
        backups.has(relay.in(address), inner),
      ),
    get: async (backup, signal) => {
      const found = await relay.call({ operation: 'read', addresses: [backup], signal }, async (inner) =>
        backups.get(relay.in(backup), inner),
      );
      return found && { ...found, address: relay.out(found.address) };
    },
    retire: async (address, expect, permit) =>
      relay.out(
        await relay.change(
          { operation: 'retire', addresses: [address, backupOf(address)], revision: expect.revision },
          permit,
          async (inner) => backups.retire(relay.in(address), expect, inner),
        ),
      ),
    discard: async (backup, permit) =>
      relay.change({ operation: 'discard', addresses: [backup] }, permit, async (inner) =>
        backups.discard(relay.in(backup), inner),
      ),
  };
}

function copiesOf(copies: CopyStore, relay: Relay): Required<CopyStore> {
  return {
    keep: async (address, expect, expiresAt, permit) =>
      relay.out(
        await relay.change(
          { operation: 'keep', addresses: [address], revision: expect.revision },
          permit,
          async (inner) => copies.keep(relay.in(address), expect, expiresAt, inner),
        ),
      ),
    discardExpired: (nowMs, permit) =>
      relay.iterate(
        { operation: 'discardExpired', addresses: [], signal: permit.signal },
        () => copies.discardExpired(nowMs, permit),
        (discarded) => ({ ...discarded, address: relay.out(discarded.address) }),
      ),
  };
}

function claimsOf(claims: ClaimStore, relay: Relay): Required<ClaimStore> {
  return {
    claim: async (address, expect, by, permit) =>
      relay.change(
        { operation: 'claim', addresses: [address], revision: expect.revision },
        permit,
        async (inner) => claims.claim(relay.in(address), expect, by, inner),
      ),
    release: async (isStale, permit, among) =>
      relay.change({ operation: 'release', addresses: [] }, permit, async (inner) =>
        claims.release(isStale, inner, async () => relay.allIn([...(await among())])),
      ),
  };
}

function projectionsOf(projections: ProjectionStore, relay: Relay): Required<ProjectionStore> {
  return {
    mark: async (address, expect, origin, permit) =>
      relay.change(
        { operation: 'mark', addresses: [address], revision: expect.revision },
        permit,
        async (inner) => projections.mark(relay.in(address), expect, origin, inner),
      ),
    unmark: async (address, expect, origin, permit) =>
      relay.change(
        { operation: 'unmark', addresses: [address], revision: expect.revision },
        permit,
        async (inner) => projections.unmark(relay.in(address), expect, origin, inner),
      ),
  };
}

/** Passes calls on through one layer. */
class Relay extends AddressTranslator {
  readonly #layer: Layer;

  constructor(layer: Layer) {
    super(layer.mapping);
    this.#layer = layer;
  }

  async call<T>(call: Call, next: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#layer.around === undefined ? next(call.signal) : this.#layer.around(call, next);
  }

  /** A change gets the signal of the layer; its permit is that of the caller. */
  async change<T>(
    call: Omit<Call, 'signal'>,
    permit: Permit,
    next: (permit: Permit) => Promise<T>,
  ): Promise<T> {
    const { signal } = permit;
    return this.call({ ...call, signal }, async (inner) =>
      next({ signal: inner, require: () => permit.require() }),
    );
  }

  async *iterate<T>(call: Call, next: () => AsyncIterable<T>, out: (item: T) => T): AsyncGenerator<T> {
    const items = this.#layer.iterate === undefined ? next() : this.#layer.iterate(call, next);
    for await (const item of items) yield out(item);
  }
}
