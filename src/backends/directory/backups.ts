import type { Address, Document, Version } from '#src/core/document.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { BackupStore } from '../driver.ts';
import { discard, type Claim } from './claims.ts';
import { conflict, type Change } from './change.ts';
import { keep, remove } from './changes.ts';
import { readOnce, sameContent, type Content } from './content.ts';
import { backupNameOf, nameRefusalOf, originalOf } from './names.ts';
import { toFields, type TrailingNewline } from './newline.ts';
import { lstatOf } from './opened.ts';
import type { DirectoryStore } from './store.ts';

const OP = 'directory.backup';

/**
 * A backup is `.<name>.migrated.bak` beside the document, with rights for its owner only. It is a copy of the bytes,
 * compared before the document is removed, and not the renamed file: a program that still has the file open must not
 * write into the backup, and the kernel refuses to link a file of another user or to change its rights.
 */
export class DirectoryBackups implements BackupStore {
  readonly #store: DirectoryStore;
  readonly #trailingNewline: TrailingNewline;

  constructor(store: DirectoryStore, trailingNewline: TrailingNewline) {
    this.#store = store;
    this.#trailingNewline = trailingNewline;
  }

  addressOf(address: Address): Address {
    return backupNameOf(address);
  }

  async has(address: Address, signal: AbortSignal): Promise<boolean> {
    requireName(address);
    return this.#store.visit({ op: OP, target: address, signal }, async (folder) => {
      const stats = await lstatOf(folder.pathOf(backupNameOf(address)));
      return stats?.isFile() === true || stats?.isDirectory() === true;
    });
  }

  async get(backup: Address, signal: AbortSignal): Promise<Document | undefined> {
    if (originalOf(backup) === undefined) throw noBackup(backup);
    const found = await this.#store.visit({ op: OP, target: backup, signal }, async (folder) =>
      readOnce(folder, backup),
    );
    if (found === 'absent') return undefined;
    if (found === 'torn') throw new OperatorError('VERSION_CONFLICT', { op: OP, target: backup });
    if (!found.isPlain) throw noBackup(backup);
    return { address: backup, fields: toFields(found, this.#trailingNewline), attributes: {} };
  }

  async retire(address: Address, expect: Version, permit: Permit): Promise<Address> {
    requireName(address);
    const backup = backupNameOf(address);
    await this.#store.changeFound({ address, expect }, { op: OP, permit }, async (change, found) => {
      await keepAs(change, backup, found);
      await remove(change, found);
    });
    return backup;
  }

  async discard(backup: Address, permit: Permit): Promise<void> {
    const address = originalOf(backup);
    if (address === undefined) throw noBackup(backup);
    await this.#store.change(address, { op: OP, permit }, async (change) => {
      const snapshot = await readOnce(change.folder, backup);
      if (snapshot === 'absent') return;
      if (snapshot === 'torn') throw conflict(change);
      if (!snapshot.isPlain) throw noBackup(backup);
      const unwanted: Claim = { file: backup, shape: snapshot.shape };
      await discard(change, unwanted);
    });
  }
}

/** Can run again after a run that was killed: an equal backup counts as its own. */
async function keepAs(change: Change, backup: string, content: Content): Promise<void> {
  try {
    await keep(change, backup, content);
  } catch (failure) {
    if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
  }
  if (await isBackupOf(change, backup, content)) return;
  throw new OperatorError('ALREADY_EXISTS', { op: OP, target: backup });
}

async function isBackupOf({ folder }: Change, backup: string, content: Content): Promise<boolean> {
  try {
    const snapshot = await readOnce(folder, backup);
    return typeof snapshot !== 'string' && snapshot.isPlain && sameContent(snapshot, content);
  } catch (failure) {
    if (hasCode(failure, 'DOCUMENT_REFUSED')) return false;
    throw failure;
  }
}

function requireName(address: Address): void {
  const refusal = nameRefusalOf(address);
  if (refusal !== undefined) throw new OperatorError('DOCUMENT_REFUSED', { op: OP, detail: refusal.message });
}

function noBackup(target: Address): OperatorError {
  const detail = 'It is not a backup made by Keyferry.';
  return new OperatorError('DOCUMENT_REFUSED', { op: OP, target, detail, hint: 'Rename or remove it.' });
}
