import { isPrintable } from '#src/errors/printable.ts';
import { pairsOf, type Address, type Document } from '#src/core/document.ts';
import { jsonRefusalOf } from '../bytes-only.ts';
import type { Refusal } from '../refusal.ts';
import type { MemoryStore } from './store.ts';

export const BACKUP_SUFFIX = '.migrated-bak';
/** Before the revision of the original, at the end of the name of a kept copy. */
export const COPY_INFIX = '.keyferry-bak-';

/** True for the name of a backup: of a source that was moved, or a kept copy. */
export function isBackupName(address: Address): boolean {
  return address.endsWith(BACKUP_SUFFIX) || /\.keyferry-bak-[0-9a-z]+$/.test(address);
}
/** Total bytes of the values of one document. */
export const MAX_DOCUMENT_BYTES = 1_048_576;

/** Why no document can live at this address, or undefined. */
export function addressRefusalOf({ traits }: MemoryStore, address: Address): Refusal | undefined {
  if (traits.keepsBackups && isBackupName(address)) {
    return { reason: 'NameRefused', message: 'The name is that of a backup.' };
  }
  const segments = address.split('/');
  if (traits.addressing === 'flat' && segments.length > 1) {
    return { reason: 'NameRefused', message: 'The name has a slash.' };
  }
  const isHostile = segments.some((segment) => /^\.{0,2}$|\\/.test(segment) || !isPrintable(segment));
  return isHostile ? { reason: 'PathRefused', message: 'The path has an illegal segment.' } : undefined;
}

/** Why this document can never be stored, or undefined. */
export function refusalOf(store: MemoryStore, document: Document): Refusal | undefined {
  let bytes = 0;
  for (const value of document.fields.values()) bytes += value.byteLength;
  if (bytes > MAX_DOCUMENT_BYTES) {
    return { reason: 'TooLarge', message: `A document has at most ${MAX_DOCUMENT_BYTES} bytes.` };
  }
  if (document.attributes.expiresAt !== undefined && !store.traits.canExpire) {
    return { reason: 'ExpiryRefused', message: 'The store keeps documents forever.' };
  }
  const jsonRefusal = store.traits.holdsJson ? undefined : jsonRefusalOf(document, 'the store');
  if (jsonRefusal !== undefined) return jsonRefusal;
  if (!pairsOf(document).every((pair) => store.traits.holdsPair(pair))) {
    return { reason: 'MetadataRefused', message: 'The store has no place for it.' };
  }
  return addressRefusalOf(store, document.address);
}
