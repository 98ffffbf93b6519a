import { quoted } from '#src/errors/explain.ts';
import { isPrintable } from '#src/errors/printable.ts';
import type { Address } from '#src/core/document.ts';
import type { Refusal } from '../refusal.ts';

/*
 * The name of a file is the address itself. Nothing is escaped: an address that is not a legal name is refused. Names
 * that start with a dot are not documents:
 *
 *   .<name>.keyferry-<id>         being written; complete only once it has its final name
 *   .<name>.keyferry-aside-<id>   claimed, to be compared with what was read; rolled back after a crash
 *   .<name>.keyferry-trash-<id>   a folder whose removal is committed; its removal continues after a crash
 *   .<name>.keyferry-kept-<id>    could not be rolled back, because its name was taken; never touched again
 *   .<name>.migrated.bak          a backup
 */

/** Bytes. NAME_MAX is 255, and the longest transient name of a document must fit as well. */
const MAX_NAME_BYTES = 220;
const MAX_FIELD_BYTES = 255;

/** What invalid UTF-8 in a name decodes to: several files could read as the same name. */
const UNDECODABLE = '\uFFFD';

/** The only key of a document that is a file. */
export const FILE_FIELD = 'value';

export const BACKUP_SUFFIX = '.migrated.bak';
const LEFTOVER = /^\.(.+)\.keyferry-(aside-|trash-|)[0-9a-f]{12}$/s;

export type LeftoverKind = 'temporary' | 'aside' | 'trash';

/** A file or folder with a transient name, left by a change that was cut off. */
export interface Leftover {
  readonly kind: LeftoverKind;
  /** The document that it belongs to. */
  readonly address: Address;
  /** Its own name. */
  readonly file: string;
}

const INFIX = { temporary: '', aside: 'aside-', trash: 'trash-', kept: 'kept-' } as const;

/** A name used while this document is changed. `id`: 12 hexadecimal digits. */
export function transientName(address: Address, kind: keyof typeof INFIX, id: string): string {
  return `.${address}.keyferry-${INFIX[kind]}${id}`;
}

/** Parses a transient name; undefined for any other name, and for a `kept` one. */
export function leftoverOf(file: string): Leftover | undefined {
  const [, address, infix] = LEFTOVER.exec(file) ?? [];
  if (address === undefined || nameRefusalOf(address) !== undefined) return undefined;
  if (infix === INFIX.aside) return { kind: 'aside', address, file };
  return { kind: infix === INFIX.trash ? 'trash' : 'temporary', address, file };
}

export function backupNameOf(address: Address): string {
  return `.${address}${BACKUP_SUFFIX}`;
}

/** The address of the original of this backup; undefined for any other name. */
export function originalOf(backup: string): Address | undefined {
  if (!backup.startsWith('.') || !backup.endsWith(BACKUP_SUFFIX)) return undefined;
  const address = backup.slice(1, -BACKUP_SUFFIX.length);
  return nameRefusalOf(address) === undefined ? address : undefined;
}

/** A folder at the top of many volumes. As an empty document it would be moved away. */
const LOST_AND_FOUND = 'lost+found';

/** Neither listed nor read: temporary files, backups, and what editors, mounts and file systems leave. */
export function isHidden(file: string): boolean {
  return file.startsWith('.') || file === LOST_AND_FOUND;
}

/** Inside a folder: where Kubernetes keeps the files of a volume (`..data`). No key can have such a name. */
export function isBookkeeping(file: string): boolean {
  return file.startsWith('..');
}

/** Why no document can have this name, or undefined. Refuses backups too: they are never read as documents. */
export function nameRefusalOf(address: Address): Refusal | undefined {
  if (isHidden(address)) {
    const message =
      'Names that start with a period, and lost+found, are reserved for backups and temporary files. To restore a backup, copy it to another name.';
    return { reason: 'NameRefused', message };
  }
  const fault = faultOf(address, MAX_NAME_BYTES);
  return fault === undefined
    ? undefined
    : { reason: 'NameRefused', message: `The name of a file or folder ${fault}.` };
}

/** Why no key can have this name, or undefined. One period at the start is common: `.dockerconfigjson`. */
export function fieldRefusalOf(field: string): Refusal | undefined {
  const fault =
    field === '.' || isBookkeeping(field)
      ? 'must not be "." or start with two periods'
      : faultOf(field, MAX_FIELD_BYTES);
  return fault === undefined
    ? undefined
    : { reason: 'KeyRefused', message: `The key ${quoted(field)} ${fault}.` };
}

/** Two such files could read as the same name. */
export const NAME_NOT_UTF8: Refusal = {
  reason: 'NameRefused',
  message: 'The name of a file or folder must be UTF-8.',
};

function faultOf(name: string, maxBytes: number): string | undefined {
  if (name === '') return 'must not be empty';
  if (Buffer.byteLength(name) > maxBytes) return `must have at most ${maxBytes} bytes`;
  if (/[/\\]/.test(name)) return 'must not contain a slash or a backslash';
  if (!isPrintable(name) || name.includes(UNDECODABLE))
    return 'must be printable Unicode, without control characters';
  if (name.startsWith(' ') || name.endsWith(' ')) return 'must not start or end with a space';
  return undefined;
}
