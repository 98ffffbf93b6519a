import type { Address, Document, Version } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { BackupStore } from '../driver.ts';
import type { SecretApi } from './api.ts';
import { toDocument } from './codec.ts';
import { BACKUP_SUFFIX, fullNameRefusalOf } from './refusals.ts';
import { BACKUP_OP as OP, isBackup, keptIn, storeBackup } from './stored-backup.ts';

/**
 * A backup is a Secret `<name>.migrated-bak` with its own label: no workload mounts it, no migration reads it. It is
 * stored and compared before the original Secret is removed.
 */
export class SecretBackups implements BackupStore {
  readonly #api: SecretApi;

  constructor(api: SecretApi) {
    this.#api = api;
  }

  addressOf(address: Address): Address {
    return `${address}${BACKUP_SUFFIX}`;
  }

  async has(address: Address, signal: AbortSignal): Promise<boolean> {
    return (await this.#find(this.addressOf(address), signal)) !== undefined;
  }

  async get(backup: Address, signal: AbortSignal): Promise<Document | undefined> {
    const found = await this.#api.get(backup, signal);
    if (found === undefined) return undefined;
    if (!isBackup(found)) throw noBackup(backup);
    return keptIn(found);
  }

  async retire(address: Address, expect: Version, permit: Permit): Promise<Address> {
    const backup = this.addressOf(address);
    const refusal = fullNameRefusalOf(backup);
    if (refusal !== undefined) {
      throw new OperatorError('DOCUMENT_REFUSED', {
        op: OP,
        target: address,
        detail: 'The name is too long for the suffix of a backup.',
        hint: 'Use sourcePolicy Keep or Delete.',
      });
    }
    const original = toDocument(
      await this.#api.getExactly(address, expect, { op: OP, signal: permit.signal }),
    );
    await storeBackup(this.#api, { original, backup }, permit);
    await this.#api.remove(address, expect, permit);
    return backup;
  }

  async discard(backup: Address, permit: Permit): Promise<void> {
    const found = await this.#api.get(backup, permit.signal);
    if (found === undefined) return;
    if (!isBackup(found)) throw noBackup(backup);
    await this.#api.remove(backup, toDocument(found).version, permit);
  }

  async #find(backup: Address, signal: AbortSignal): Promise<Document | undefined> {
    const found = await this.#api.get(backup, signal);
    return found !== undefined && isBackup(found) ? toDocument(found) : undefined;
  }
}

function noBackup(target: Address): OperatorError {
  const detail = 'It is not a backup made by Keyferry.';
  return new OperatorError('DOCUMENT_REFUSED', { op: OP, target, detail, hint: 'Rename or remove it.' });
}
