import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';
import { errorOf, isAbort } from '#src/errors.ts';
import type { AccessLog, AccessRecord, Accessor } from '#src/ports.ts';
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

type Access = Pick<AccessRecord, 'path' | 'revision' | 'fields' | 'outcome'>;

/**
 * Any driver with a record of every value that goes through it. What was read is handed on only after its record was
 * written out, and a change is not over before its own was: a log that cannot be written stops the work.
 *
 * It is lent to one migration and does not own the driver: disposing of it does nothing.
 */
export class AuditedDriver implements Driver {
  readonly kind: string;
  readonly traits: DriverTraits;
  readonly backups: BackupStore | undefined;
  readonly projections: ProjectionStore | undefined;
  readonly #driver: Driver;
  readonly #log: AccessLog;
  readonly #accessor: Accessor;

  constructor(driver: Driver, log: AccessLog, accessor: Accessor) {
    this.#driver = driver;
    this.#log = log;
    this.#accessor = accessor;
    this.kind = driver.kind;
    this.traits = driver.traits;
    this.backups = driver.backups && this.#auditedBackups(driver.backups);
    this.projections = driver.projections;
  }

  #auditedBackups(backups: BackupStore): BackupStore {
    return {
      addressOf: (address) => backups.addressOf(address),
      has: async (address, signal) => {
        const found = await backups.has(address, signal);
        const outcome = found ? 'present' : 'absent';
        await this.#record('read', { path: backups.addressOf(address), outcome }, signal);
        return found;
      },
      retire: async (address, expect, signal) =>
        this.#changed('backup', { path: address, revision: expect.revision }, signal, async () =>
          backups.retire(address, expect, signal),
        ),
      discard: async (backup, signal) =>
        this.#changed('delete', { path: backup }, signal, async () => backups.discard(backup, signal)),
    };
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return this.#driver.probe(signal);
  }

  list(query: ListQuery, signal: AbortSignal): AsyncIterable<Entry> {
    return this.#driver.list(query, signal);
  }

  async read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    try {
      const result = await this.#driver.read(address, signal, revision);
      await this.#record('read', accessOf(address, result), signal);
      return result;
    } catch (failure) {
      if (isAbort(failure, signal)) throw failure;
      await this.#record('read', { path: address, revision, outcome: errorOf(failure).code }, signal);
      throw failure;
    }
  }

  async *readMany(addresses: readonly Address[], signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    for await (const outcome of this.#driver.readMany(addresses, signal)) {
      const { address } = outcome;
      const access =
        'error' in outcome
          ? { path: address, outcome: errorOf(outcome.error).code }
          : accessOf(address, outcome.result);
      await this.#record('read', access, signal);
      yield outcome;
    }
  }

  refusalOf(document: Document): Refusal | undefined {
    return this.#driver.refusalOf(document);
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return this.#driver.addressRefusalOf(address);
  }

  locationOf(address: Address): Location {
    return this.#driver.locationOf(address);
  }

  denied(needs: readonly Need[], signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    return this.#driver.denied(needs, signal);
  }

  write(document: Document, expect: Expectation, signal: AbortSignal): Promise<Version> {
    const access = { path: document.address, fields: namesOf(document) };
    return this.#changed('write', access, signal, async () => this.#driver.write(document, expect, signal));
  }

  delete(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    const access = { path: address, revision: expect.revision };
    return this.#changed('delete', access, signal, async () => this.#driver.delete(address, expect, signal));
  }

  async finish(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    await this.#driver.finish?.(address, expect, signal);
  }

  async #changed<T>(
    operation: AccessRecord['operation'],
    access: Omit<Access, 'outcome'>,
    signal: AbortSignal,
    change: () => Promise<T>,
  ): Promise<T> {
    try {
      const result = await change();
      await this.#record(operation, { ...access, outcome: 'done' }, signal);
      return result;
    } catch (failure) {
      if (isAbort(failure, signal)) throw failure;
      await this.#record(operation, { ...access, outcome: errorOf(failure).code }, signal);
      throw failure;
    }
  }

  async #record(operation: AccessRecord['operation'], access: Access, signal: AbortSignal): Promise<void> {
    await this.#log.record({ operation, ...this.#accessor, ...access }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

function accessOf(address: Address, result: ReadResult): Access {
  if (result.state === 'absent') return { path: address, outcome: result.state };
  if (result.state === 'deleted') {
    return { path: address, revision: result.version.revision, outcome: result.state };
  }
  const { document } = result;
  const { revision } = document.version;
  return { path: address, revision, fields: namesOf(document), outcome: result.state };
}

function namesOf(document: Document): readonly string[] {
  return [...document.fields.keys()].toSorted();
}
