import type { Address, Document, ReadResult } from '#src/core/document.ts';
import { errorOf, isAbort } from '#src/errors.ts';
import type { AccessLog, AccessRecord, Accessor } from '#src/ports.ts';
import type { BackupStore, CopyStore, Driver, ReadOutcome } from '../driver.ts';
import { layered, OPERATIONS, type LayeredDriver, type OperationTraits } from '../layer.ts';

type Access = Pick<AccessRecord, 'path' | 'version' | 'keys' | 'outcome'>;

interface Attempt {
  readonly operation: AccessRecord['operation'];
  /** What is known before the call. */
  readonly asked: Omit<Access, 'outcome'>;
  readonly signal: AbortSignal;
}

/**
 * A driver that records every access to a value. A read returns and a change resolves only after its record is written:
 * if the log cannot be written, the operation fails. Disposing of it does not close the driver below.
 */
export function audit(driver: Driver, log: AccessLog, accessor: Accessor): LayeredDriver {
  const records = new AccessRecords(log, accessor);
  return layered(driver, {
    around: async ({ operation, addresses: [path = ''], revision, document, signal }, next) => {
      const { recordedAs }: OperationTraits = OPERATIONS[operation];
      if (recordedAs === undefined) return next(signal);
      const asked = { path, version: revision, keys: document && keysOf(document) };
      return records.around(
        { operation: recordedAs, asked, signal },
        async () => next(signal),
        () => ({ ...asked, outcome: 'done' }),
      );
    },
    // The record of a read includes what was found.
    overrides: ({ backups, copies, writeAndRead }) => ({
      read: async (address, signal, revision) =>
        records.around(
          { operation: 'read', asked: { path: address, version: revision }, signal },
          async () => driver.read(address, signal, revision),
          (result) => accessOf(address, result),
        ),
      // Its reply brings the value back, as a read does.
      writeAndRead:
        writeAndRead &&
        (async (document, expect, permit) => {
          const stored = await writeAndRead(document, expect, permit);
          const access = accessOf(document.address, { state: 'present', document: stored });
          await records.write('read', access, permit.signal);
          return stored;
        }),
      async *readMany(addresses, signal, scope) {
        for await (const outcome of driver.readMany(addresses, signal, scope)) {
          await records.write('read', accessIn(outcome), signal);
          yield outcome;
        }
      },
      backups: driver.backups &&
        backups && {
          ...backups,
          has: recordedHas(driver.backups, records),
          get: recordedGet(driver.backups, records),
        },
      copies: driver.copies &&
        copies && { ...copies, discardExpired: recordedDiscards(driver.copies, records) },
    }),
  });
}

function recordedHas(backups: BackupStore, records: AccessRecords): BackupStore['has'] {
  return async (address, signal) => {
    const found = await backups.has(address, signal);
    const outcome = found ? 'present' : 'absent';
    await records.write('read', { path: backups.addressOf(address), outcome }, signal);
    return found;
  };
}

function recordedDiscards(copies: CopyStore, records: AccessRecords): CopyStore['discardExpired'] {
  return async function* discardExpired(nowMs, permit) {
    for await (const discarded of copies.discardExpired(nowMs, permit)) {
      const { address: path, error } = discarded;
      await records.write('delete', { path, outcome: error?.code ?? 'done' }, permit.signal);
      yield discarded;
    }
  };
}

function recordedGet(backups: BackupStore, records: AccessRecords): BackupStore['get'] {
  return async (path, signal) =>
    records.around(
      { operation: 'read', asked: { path }, signal },
      async () => backups.get(path, signal),
      (found) =>
        found === undefined ? { path, outcome: 'absent' } : { path, keys: keysOf(found), outcome: 'present' },
    );
}

class AccessRecords {
  readonly #log: AccessLog;
  readonly #accessor: Accessor;

  constructor(log: AccessLog, accessor: Accessor) {
    this.#log = log;
    this.#accessor = accessor;
  }

  /** Records the result of a call, or the code of its failure. */
  async around<T>(attempt: Attempt, call: () => Promise<T>, accessOf: (result: T) => Access): Promise<T> {
    const { operation, asked, signal } = attempt;
    try {
      const result = await call();
      await this.write(operation, accessOf(result), signal);
      return result;
    } catch (failure) {
      if (isAbort(failure, signal)) throw failure;
      await this.write(operation, { ...asked, outcome: errorOf(failure).code }, signal);
      throw failure;
    }
  }

  async write(operation: AccessRecord['operation'], access: Access, signal: AbortSignal): Promise<void> {
    await this.#log.record({ operation, ...this.#accessor, ...access }, signal);
  }
}

function accessIn(outcome: ReadOutcome): Access {
  const { address } = outcome;
  if ('error' in outcome) return { path: address, outcome: errorOf(outcome.error).code };
  return accessOf(address, outcome.result);
}

function accessOf(address: Address, result: ReadResult): Access {
  if (result.state === 'absent') return { path: address, outcome: result.state };
  if (result.state === 'deleted') {
    return { path: address, version: result.version.revision, outcome: result.state };
  }
  const { document } = result;
  const { revision: version } = document.version;
  return { path: address, version, keys: keysOf(document), outcome: result.state };
}

function keysOf(document: Document): readonly string[] {
  return [...document.fields.keys()].toSorted();
}
