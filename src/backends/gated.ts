import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
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

/** Which addresses of a store somebody may use. */
export interface Gate {
  /** Code of the error with which everything else is refused. */
  readonly code: ErrorCode;
  /** Why this address is out of reach, or undefined. What is refused is so with all that is below it. Pure. */
  refusalOf(address: Address): Refusal | undefined;
}

/**
 * A driver through which only what the gate lets pass exists: other names are in no listing, and reading, writing or
 * deleting them is refused before anything leaves the process. The driver behind it belongs to whoever made it and is
 * not closed with this one.
 */
export class GatedDriver implements Driver {
  readonly kind: string;
  readonly traits: DriverTraits;
  readonly backups: BackupStore | undefined;
  readonly projections: ProjectionStore | undefined;
  readonly #driver: Driver;
  readonly #gate: Gate;

  constructor(driver: Driver, gate: Gate) {
    this.#driver = driver;
    this.#gate = gate;
    this.kind = driver.kind;
    this.traits = driver.traits;
    this.backups = driver.backups && this.#gatedBackups(driver.backups);
    this.projections = driver.projections && this.#gatedProjections(driver.projections);
  }

  #gatedBackups(backups: BackupStore): BackupStore {
    return {
      addressOf: (address) => backups.addressOf(address),
      has: async (address, signal) => {
        this.#requireBoth(backups, address);
        return await backups.has(address, signal);
      },
      retire: async (address, expect, signal) => {
        this.#requireBoth(backups, address);
        return await backups.retire(address, expect, signal);
      },
      discard: async (backup, signal) => {
        this.#require(backup, 'backend.backup');
        await backups.discard(backup, signal);
      },
    };
  }

  /** A document, and where its backup is or would be: that name may be longer than the prefix where its own is not. */
  #requireBoth(backups: BackupStore, address: Address): void {
    this.#require(address, 'backend.backup');
    this.#require(backups.addressOf(address), 'backend.backup');
  }

  #gatedProjections(projections: ProjectionStore): ProjectionStore {
    return {
      mark: async (address, expect, origin, signal) => {
        this.#require(address, 'backend.mark');
        await projections.mark(address, expect, origin, signal);
      },
    };
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return this.#driver.probe(signal);
  }

  /** A hidden folder is not even asked for: the rights on it, its size or its depth would show in what fails. */
  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Entry> {
    const skips = (folder: Address): boolean =>
      query.skips?.(folder) === true || this.#gate.refusalOf(`${folder}/`) !== undefined;
    if (query.folder !== '' && skips(query.folder)) return;
    for await (const entry of this.#driver.list({ ...query, skips }, signal)) {
      if (this.#gate.refusalOf(entry.address) === undefined) yield entry;
    }
  }

  async read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    this.#require(address, 'backend.read');
    return await this.#driver.read(address, signal, revision);
  }

  async *readMany(addresses: readonly Address[], signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    const passed: Address[] = [];
    for (const address of new Set(addresses)) {
      const error = this.#errorOf(address, 'backend.read');
      if (error === undefined) passed.push(address);
      else yield { address, error };
    }
    yield* this.#driver.readMany(passed, signal);
  }

  refusalOf(document: Document): Refusal | undefined {
    return this.#gate.refusalOf(document.address) ?? this.#driver.refusalOf(document);
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return this.#gate.refusalOf(address) ?? this.#driver.addressRefusalOf(address);
  }

  locationOf(address: Address): Location {
    return this.#driver.locationOf(address);
  }

  /** The server is not asked about what it would not be asked for. */
  async denied(needs: readonly Need[], signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const refusals = new Map<Address, Refusal>();
    const passed: Need[] = [];
    for (const need of needs) {
      const refusal = this.#gate.refusalOf(need.address);
      if (refusal === undefined) passed.push(need);
      else refusals.set(need.address, refusal);
    }
    for (const [address, refusal] of await this.#driver.denied(passed, signal))
      refusals.set(address, refusal);
    return refusals;
  }

  async write(document: Document, expect: Expectation, signal: AbortSignal): Promise<Version> {
    this.#require(document.address, 'backend.write');
    return await this.#driver.write(document, expect, signal);
  }

  async delete(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    this.#require(address, 'backend.delete');
    await this.#driver.delete(address, expect, signal);
  }

  async finish(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    this.#require(address, 'backend.finish');
    await this.#driver.finish?.(address, expect, signal);
  }

  #require(address: Address, op: string): void {
    const error = this.#errorOf(address, op);
    if (error !== undefined) throw error;
  }

  #errorOf(address: Address, op: string): OperatorError | undefined {
    const refusal = this.#gate.refusalOf(address);
    return refusal && new OperatorError(this.#gate.code, { op, detail: refusal.message });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing of its own.
  }
}
