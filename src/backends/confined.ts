import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';
import type {
  Driver,
  BackupStore,
  DriverTraits,
  Entry,
  ListQuery,
  Location,
  Need,
  Probe,
  ProjectionStore,
  ReadOutcome,
  Refusal,
} from './driver.ts';

/**
 * One folder of a tree store as a store of its own: whoever has it can name nothing outside. The folder is put in front of
 * every address, and the driver behind refuses those that would climb out of it. That driver, its connections and its
 * login are shared by all folders; it belongs to whoever made it and is not closed with this one.
 */
export class ConfinedDriver implements Driver {
  readonly kind: string;
  readonly traits: DriverTraits;
  readonly backups: BackupStore | undefined;
  readonly projections: ProjectionStore | undefined;
  readonly #driver: Driver;
  readonly #prefix: string;

  /** `folder`: one or more segments, without a slash at its begin or end. */
  constructor(driver: Driver, folder: string) {
    this.#driver = driver;
    this.#prefix = `${folder}/`;
    this.kind = driver.kind;
    this.traits = driver.traits;
    this.backups = driver.backups && this.#confinedBackups(driver.backups);
    this.projections = driver.projections && this.#confinedProjections(driver.projections);
  }

  #confinedBackups(backups: BackupStore): BackupStore {
    return {
      addressOf: (address) => this.#outer(backups.addressOf(this.#inner(address))),
      has: async (address, signal) => backups.has(this.#inner(address), signal),
      retire: async (address, expect, signal) =>
        this.#outer(await backups.retire(this.#inner(address), expect, signal)),
      discard: async (backup, signal) => backups.discard(this.#inner(backup), signal),
    };
  }

  #confinedProjections(projections: ProjectionStore): ProjectionStore {
    return {
      mark: async (address, expect, origin, signal) =>
        projections.mark(this.#inner(address), expect, origin, signal),
    };
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return this.#driver.probe(signal);
  }

  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Entry> {
    const folder = query.folder === '' ? this.#prefix.slice(0, -1) : this.#inner(query.folder);
    const { skips } = query;
    const inner =
      skips === undefined ? {} : { skips: (below: Address): boolean => skips(this.#outer(below)) };
    for await (const entry of this.#driver.list({ ...query, folder, ...inner }, signal)) {
      yield { ...entry, address: this.#outer(entry.address) };
    }
  }

  async read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    return this.#seen(await this.#driver.read(this.#inner(address), signal, revision));
  }

  async *readMany(addresses: readonly Address[], signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    const inner = addresses.map((address) => this.#inner(address));
    for await (const outcome of this.#driver.readMany(inner, signal)) {
      const address = this.#outer(outcome.address);
      yield 'error' in outcome ? { ...outcome, address } : { address, result: this.#seen(outcome.result) };
    }
  }

  refusalOf(document: Document): Refusal | undefined {
    return this.#driver.refusalOf(this.#within(document));
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return this.#driver.addressRefusalOf(this.#inner(address));
  }

  locationOf(address: Address): Location {
    return this.#driver.locationOf(this.#inner(address));
  }

  async denied(needs: readonly Need[], signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const inner = needs.map((need) => ({ ...need, address: this.#inner(need.address) }));
    const refusals = await this.#driver.denied(inner, signal);
    return new Map([...refusals].map(([address, refusal]) => [this.#outer(address), refusal]));
  }

  write(document: Document, expect: Expectation, signal: AbortSignal): Promise<Version> {
    return this.#driver.write(this.#within(document), expect, signal);
  }

  delete(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    return this.#driver.delete(this.#inner(address), expect, signal);
  }

  async finish(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    await this.#driver.finish?.(this.#inner(address), expect, signal);
  }

  #inner(address: Address): Address {
    return this.#prefix + address;
  }

  #outer(address: Address): Address {
    return address.slice(this.#prefix.length);
  }

  #within<D extends Document>(document: D): D {
    return { ...document, address: this.#inner(document.address) };
  }

  #seen(result: ReadResult): ReadResult {
    if (result.state !== 'present') return result;
    const { document } = result;
    return { state: 'present', document: { ...document, address: this.#outer(document.address) } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing of its own.
  }
}
