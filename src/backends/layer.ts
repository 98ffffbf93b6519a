import type { Address, Document } from '#src/core/document.ts';
import type { AccessRecord } from '#src/ports.ts';
import { AddressTranslator, type AddressMapping } from './address-mapping.ts';
import type { BackupStore, Driver, Need, ProjectionStore } from './driver.ts';

/** What a layer has to know of an operation to treat it as any other one of its kind. */
export interface OperationTraits {
  /** It changes something: without a reply nobody knows whether it did, so it is never repeated. */
  readonly changes: boolean;
  /** It touches a value, and the audit log says so with this word. */
  readonly recordedAs?: AccessRecord['operation'];
}

/** Every operation of the contract that reaches the store. Its name is a label of the metrics. */
export const OPERATIONS = {
  probe: { changes: false },
  list: { changes: false },
  read: { changes: false, recordedAs: 'read' },
  readMany: { changes: false, recordedAs: 'read' },
  denied: { changes: false },
  write: { changes: true, recordedAs: 'write' },
  delete: { changes: true, recordedAs: 'delete' },
  finish: { changes: true },
  retire: { changes: true, recordedAs: 'backup' },
  discard: { changes: true, recordedAs: 'delete' },
  mark: { changes: true },
} as const satisfies Readonly<Record<string, OperationTraits>>;

export type Operation = keyof typeof OPERATIONS;

/** One operation on its way to the driver below, as its caller sees it. */
export interface Call {
  readonly operation: Operation;
  /** Every address that it reaches; the first is the one that the caller names. */
  readonly addresses: readonly Address[];
  readonly signal: AbortSignal;
  /** The state that it asks for or expects. */
  readonly revision?: string | undefined;
  /** What it stores. */
  readonly document?: Document;
}

/** A driver that has every member of the contract, those that a store may leave out too. */
export type LayeredDriver = Required<Driver>;

/** How a layer differs from the driver below it. Everything that it does not state is passed on unchanged. */
export interface Layer {
  /** Runs an operation: `next` passes it on. */
  readonly around?: <T>(call: Call, next: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Runs an operation that yields: `next` passes it on. */
  readonly iterate?: <T>(call: Call, next: () => AsyncIterable<T>) => AsyncIterable<T>;
  readonly mapping?: AddressMapping;
  /** Members that need more than that. `base` is the driver with the rest of this layer around it. */
  readonly own?: (base: LayeredDriver) => Partial<LayeredDriver>;
}

/**
 * A driver with a layer around it. This is the only place that passes operations on; the return types below make it an
 * error to forget one. A layer does not own the driver below: disposing of it does nothing, unless `own` says otherwise.
 */
export function layered(driver: Driver, layer: Layer): LayeredDriver {
  const hand = new Hand(layer);
  const base: LayeredDriver = {
    ...readsOf(driver, hand),
    ...changesOf(driver, hand),
    backups: driver.backups && backupsOf(driver.backups, hand),
    projections: driver.projections && projectionsOf(driver.projections, hand),
    [Symbol.asyncDispose]: async () => Promise.resolve(),
  };
  return { ...base, ...layer.own?.(base) };
}

type Changes = 'write' | 'delete' | 'finish';
type Reads = Exclude<keyof Driver, Changes | 'backups' | 'projections' | typeof Symbol.asyncDispose>;

function readsOf(driver: Driver, hand: Hand): Pick<LayeredDriver, Reads> {
  return {
    kind: driver.kind,
    traits: driver.traits,
    probe: async (signal) =>
      hand.on({ operation: 'probe', addresses: [], signal }, async (inner) => driver.probe(inner)),
    list: (query, signal) =>
      hand.each(
        { operation: 'list', addresses: [query.folder], signal },
        () => driver.list(hand.queryIn(query), signal),
        (entry) => hand.entryOut(entry),
      ),
    read: async (address, signal, revision) =>
      hand.resultOut(
        await hand.on({ operation: 'read', addresses: [address], revision, signal }, async (inner) =>
          driver.read(hand.in(address), inner, revision),
        ),
      ),
    readMany: (addresses, signal) =>
      hand.each(
        { operation: 'readMany', addresses, signal },
        () => driver.readMany(hand.allIn(addresses), signal),
        (outcome) => hand.outcomeOut(outcome),
      ),
    refusalOf: (document) => driver.refusalOf(hand.placedIn(document)),
    addressRefusalOf: (address) => driver.addressRefusalOf(hand.in(address)),
    locationOf: (address) => driver.locationOf(hand.in(address)),
    denied: async (needs, signal) =>
      hand.refusalsOut(
        await hand.on({ operation: 'denied', addresses: needs.map(addressOf), signal }, async (inner) =>
          driver.denied(
            needs.map((need) => hand.placedIn(need)),
            inner,
          ),
        ),
      ),
  };
}

function changesOf(driver: Driver, hand: Hand): Pick<LayeredDriver, Changes> {
  return {
    write: async (document, expect, signal) =>
      hand.on({ operation: 'write', addresses: [document.address], document, signal }, async (inner) =>
        driver.write(hand.placedIn(document), expect, inner),
      ),
    delete: async (address, expect, signal) =>
      hand.on(
        { operation: 'delete', addresses: [address], revision: expect.revision, signal },
        async (inner) => driver.delete(hand.in(address), expect, inner),
      ),
    finish: async (address, expect, signal) =>
      hand.on(
        { operation: 'finish', addresses: [address], revision: expect.revision, signal },
        async (inner) => driver.finish?.(hand.in(address), expect, inner),
      ),
  };
}

function backupsOf(backups: BackupStore, hand: Hand): Required<BackupStore> {
  const backupOf = (address: Address): Address => hand.out(backups.addressOf(hand.in(address)));
  return {
    addressOf: backupOf,
    has: async (address, signal) =>
      hand.on({ operation: 'read', addresses: [address, backupOf(address)], signal }, async (inner) =>
        backups.has(hand.in(address), inner),
      ),
    retire: async (address, expect, signal) =>
      hand.out(
        await hand.on(
          {
            operation: 'retire',
            addresses: [address, backupOf(address)],
            revision: expect.revision,
            signal,
          },
          async (inner) => backups.retire(hand.in(address), expect, inner),
        ),
      ),
    discard: async (backup, signal) =>
      hand.on({ operation: 'discard', addresses: [backup], signal }, async (inner) =>
        backups.discard(hand.in(backup), inner),
      ),
  };
}

function projectionsOf(projections: ProjectionStore, hand: Hand): Required<ProjectionStore> {
  return {
    mark: async (address, expect, origin, signal) =>
      hand.on({ operation: 'mark', addresses: [address], revision: expect.revision, signal }, async (inner) =>
        projections.mark(hand.in(address), expect, origin, inner),
      ),
  };
}

function addressOf({ address }: Need): Address {
  return address;
}

/** Passes calls on through one layer. */
class Hand extends AddressTranslator {
  readonly #layer: Layer;

  constructor(layer: Layer) {
    super(layer.mapping);
    this.#layer = layer;
  }

  async on<T>(call: Call, next: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#layer.around === undefined ? next(call.signal) : this.#layer.around(call, next);
  }

  async *each<T>(call: Call, next: () => AsyncIterable<T>, out: (item: T) => T): AsyncGenerator<T> {
    const items = this.#layer.iterate === undefined ? next() : this.#layer.iterate(call, next);
    for await (const item of items) yield out(item);
  }
}
