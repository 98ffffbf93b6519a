import type { Address } from '#src/core/document.ts';
import type { Refusal } from '../driver.ts';

/*
 * A name of a file is the address itself: nothing is escaped, so what cannot stand there as it is is refused. Names that
 * begin with a dot are no documents:
 *
 *   .<name>.keyferry-<id>         being written; complete only once it has its own name
 *   .<name>.keyferry-aside-<id>   taken, to be compared with what was read; goes back after a crash
 *   .<name>.keyferry-trash-<id>   a folder that was compared and is to go; its removal goes on after a crash
 *   .<name>.keyferry-kept-<id>    could not go back, because its name was taken; nobody touches it again
 *   .<name>.migrated.bak          a backup
 */

/** Bytes; NAME_MAX is 255, and the longest name around one of this length must fit as well. */
const MAX_NAME_BYTES = 220;
const MAX_FIELD_BYTES = 255;

/** Letters, marks, numbers, punctuation, symbols and the space. Lone surrogates are none. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;
/** What a name that is not valid UTF-8 is read as: several files could share it. */
const UNDECODABLE = '\uFFFD';

/** The one field of a document that is a file. */
export const FILE_FIELD = 'value';

export const BACKUP_SUFFIX = '.migrated.bak';
const ID = '[0-9a-f]{12}';
const LEFTOVER = new RegExp(`^\\.(.+)\\.keyferry-(aside-|trash-|)(${ID})$`, 's');

export type LeftoverKind = 'temporary' | 'aside' | 'trash';

/** A name that a change gives for as long as it is under way. */
export interface Leftover {
  readonly kind: LeftoverKind;
  /** Of the document that it belongs to. */
  readonly address: Address;
  /** Its own. */
  readonly file: string;
}

const INFIX = { temporary: '', aside: 'aside-', trash: 'trash-', kept: 'kept-' } as const;

/** The name of something of this document while it is changed. `id`: 12 hexadecimal digits. */
export function transientName(address: Address, kind: keyof typeof INFIX, id: string): string {
  return `.${address}.keyferry-${INFIX[kind]}${id}`;
}

/** What a file of this name is, when it is something that a change leaves behind that was cut off. */
export function leftoverOf(file: string): Leftover | undefined {
  const [, address, infix] = LEFTOVER.exec(file) ?? [];
  if (address === undefined || nameRefusalOf(address) !== undefined) return undefined;
  if (infix === INFIX.aside) return { kind: 'aside', address, file };
  return { kind: infix === INFIX.trash ? 'trash' : 'temporary', address, file };
}

export function backupNameOf(address: Address): string {
  return `.${address}${BACKUP_SUFFIX}`;
}

/** The address that a backup of this name was made of; undefined for any other name. */
export function originalOf(backup: string): Address | undefined {
  if (!backup.startsWith('.') || !backup.endsWith(BACKUP_SUFFIX)) return undefined;
  const address = backup.slice(1, -BACKUP_SUFFIX.length);
  return nameRefusalOf(address) === undefined ? address : undefined;
}

/** What many file systems keep at the top of a volume; taken for an empty document it would be moved away. */
const LOST_AND_FOUND = 'lost+found';

/** Neither listed nor read: temporary files, backups, and what editors, mounts and file systems leave. */
export function isHidden(file: string): boolean {
  return file.startsWith('.') || file === LOST_AND_FOUND;
}

/** Inside a folder: what Kubernetes keeps the files of a volume in (`..data`); no field can be called so. */
export function isBookkeeping(file: string): boolean {
  return file.startsWith('..');
}

/** Why no document can have this name, or undefined. Backups are among what is refused: none is ever read as a document. */
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

/** Why no field can have this name, or undefined. One period at the start is usual: `.dockerconfigjson`. */
export function fieldRefusalOf(field: string): Refusal | undefined {
  const fault =
    field === '.' || isBookkeeping(field)
      ? 'must not be "." or start with two periods'
      : faultOf(field, MAX_FIELD_BYTES);
  return fault === undefined ? undefined : { reason: 'KeyRefused', message: `A key ${fault}.` };
}

function faultOf(name: string, maxBytes: number): string | undefined {
  if (name === '') return 'must not be empty';
  if (Buffer.byteLength(name) > maxBytes) return `must have at most ${maxBytes} bytes`;
  if (/[/\\]/.test(name)) return 'must not contain a slash or a backslash';
  if (!PRINTABLE.test(name) || name.includes(UNDECODABLE))
    return 'must be printable Unicode, without control characters';
  if (name.startsWith(' ') || name.endsWith(' ')) return 'must not start or end with a space';
  return undefined;
}
