import type { Address, Document, Version } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { BackupStore, CopyStore, Discarded } from '../driver.ts';
import type { Call } from './hooks.ts';
import { addressRefusalOf, BACKUP_SUFFIX, COPY_INFIX, isBackupName } from './refusals.ts';
import type { MemoryStore, State } from './store.ts';

/** What a driver gives to its backups. */
export interface Change {
  readonly store: MemoryStore;
  readonly perform: <T>(call: Call, by: AbortSignal | Permit, work: () => T) => Promise<T>;
  /** Throws `NOT_FOUND` or `VERSION_CONFLICT`. */
  readonly requireCurrent: (call: Call, expect: Version) => State;
}

/** A backup is `<address>.migrated-bak`. It is stored apart from the documents and is not in any listing. */
export class MemoryBackups implements BackupStore {
  readonly #change: Change;

  constructor(change: Change) {
    this.#change = change;
  }

  addressOf(address: Address): Address {
    return `${address}${BACKUP_SUFFIX}`;
  }

  async has(address: Address, signal: AbortSignal): Promise<boolean> {
    this.#requireAddress(address);
    const { store, perform } = this.#change;
    return perform({ operation: 'has', address }, signal, () => store.backups.has(this.addressOf(address)));
  }

  async get(backup: Address, signal: AbortSignal): Promise<Document | undefined> {
    requireBackup(backup);
    const { store, perform } = this.#change;
    return perform({ operation: 'readBackup', address: backup }, signal, () => store.backupAt(backup));
  }

  async retire(address: Address, expect: Version, permit: Permit): Promise<Address> {
    this.#requireAddress(address);
    const { store, perform, requireCurrent } = this.#change;
    const call: Call = { operation: 'retire', address };
    const backup = this.addressOf(address);
    return perform(call, permit, () => {
      const current = requireCurrent(call, expect);
      const existing = store.backups.get(backup);
      if (existing !== undefined && !sameBytes(existing, current)) {
        throw new OperatorError('ALREADY_EXISTS', { op: 'memory.retire', target: backup });
      }
      store.backups.set(backup, existing ?? current);
      store.remove(address);
      return backup;
    });
  }

  async discard(backup: Address, permit: Permit): Promise<void> {
    const { store, perform } = this.#change;
    requireBackup(backup);
    await perform({ operation: 'discard', address: backup }, permit, () => {
      store.backups.delete(backup);
    });
  }

  #requireAddress(address: Address): void {
    const refusal = addressRefusalOf(this.#change.store, address);
    if (refusal === undefined) return;
    throw new OperatorError('DOCUMENT_REFUSED', { op: 'memory.backup', detail: refusal.message });
  }
}

/** A kept copy is `<address>.keyferry-bak-<revision>`, stored as a backup is. */
export class MemoryCopies implements CopyStore {
  readonly #change: Change;

  constructor(change: Change) {
    this.#change = change;
  }

  async keep(address: Address, expect: Version, expiresAt: string, permit: Permit): Promise<Address> {
    const { store, perform, requireCurrent } = this.#change;
    const call: Call = { operation: 'keep', address };
    const copy = `${address}${COPY_INFIX}${expect.revision}`;
    return perform(call, permit, () => {
      const current = requireCurrent(call, expect);
      const existing = store.backups.get(copy);
      if (existing !== undefined && !sameBytes(existing, current)) {
        throw new OperatorError('ALREADY_EXISTS', { op: 'memory.keep', target: copy });
      }
      const keptUntil = [expiresAt, existing?.keptUntil ?? expiresAt].toSorted().at(-1) ?? expiresAt;
      store.backups.set(copy, { ...current, keptUntil });
      return copy;
    });
  }

  async *discardExpired(nowMs: number, permit: Permit): AsyncGenerator<Discarded> {
    const { store, perform } = this.#change;
    const call: Call = { operation: 'discardExpired', address: '' };
    const expired = await perform(call, permit, () =>
      [...store.backups].flatMap(([address, { keptUntil }]) =>
        keptUntil !== undefined && Date.parse(keptUntil) <= nowMs ? [address] : [],
      ),
    );
    for (const address of expired) {
      store.backups.delete(address);
      yield { address };
    }
  }
}

function requireBackup(target: Address): void {
  if (isBackupName(target)) return;
  throw new OperatorError('DOCUMENT_REFUSED', { op: 'memory.backup', target });
}

function sameBytes(left: State, right: State): boolean {
  if (left.fields.size !== right.fields.size) return false;
  return [...left.fields].every(([name, bytes]) => right.fields.get(name)?.equals(bytes) === true);
}
