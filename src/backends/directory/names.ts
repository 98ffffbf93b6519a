import type { Address, Attributes, Document } from '#src/core/document.ts';
import type { Refusal } from '../driver.ts';

/*
 * How things are called in the folder of a directory backend:
 *
 *   name                              a document: a file with the one field `value`, or a folder with a file for each field
 *   .name.migrated.bak                its backup
 *   .name.keyferry-<step>-<token>     a change that is under way, or was when its process died
 *
 * What begins with a dot is never a document.
 */

/** The field of a document that is a plain file. */
export const FILE_FIELD = 'value';
/** Most bytes of all values of a document, as in a Kubernetes Secret. */
export const MAX_DOCUMENT_BYTES = 1_048_576;
/** Most files of a folder that is a document. */
export const MAX_FIELDS = 1_000;

/** Of 255 that a file name may have: what is put around one of ours has to fit. */
const MAX_NAME_BYTES = 200;
const BACKUP_SUFFIX = '.migrated.bak';
const STEPS = ['new', 'aside', 'gone'] as const;

/**
 * - `new`    is being written, and is not complete until it is published under its name
 * - `aside`  was taken away under its name, to be compared at leisure; goes back if nobody finishes
 * - `gone`   was compared and is to be removed, piece by piece
 */
export type Step = (typeof STEPS)[number];

/** As for paths in OpenBao: letters, marks, numbers, punctuation, symbols and the ASCII space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;
const UNDER_WAY = /^\.(?<name>.+)\.keyferry-(?<step>new|aside|gone)-(?<token>[0-9a-f]{16})$/s;

export function backupNameOf(name: Address): string {
  return `.${name}${BACKUP_SUFFIX}`;
}

export function isBackupName(entry: string): boolean {
  return entry.startsWith('.') && entry.endsWith(BACKUP_SUFFIX) && entry.length > BACKUP_SUFFIX.length + 1;
}

export interface UnderWay {
  readonly name: Address;
  readonly step: Step;
  /** Tells the changes of one process from those of another one. */
  readonly token: string;
}

export function entryOf({ name, step, token }: UnderWay): string {
  return `.${name}.keyferry-${step}-${token}`;
}

/** The reverse of `entryOf`; undefined for everything else. */
export function underWayIn(entry: string): UnderWay | undefined {
  const { name, step, token } = UNDER_WAY.exec(entry)?.groups ?? {};
  const known = STEPS.find((candidate) => candidate === step);
  return name === undefined || known === undefined || token === undefined
    ? undefined
    : { name, step: known, token };
}

/** Why no document can have this name here, or undefined. */
export function nameRefusalOf(name: Address): Refusal | undefined {
  const fault = name.startsWith('.') ? 'begins with a dot' : faultOf(name);
  return fault === undefined ? undefined : { reason: 'NameRefused', message: `The name of a file ${fault}.` };
}

function fieldRefusalOf(field: string): Refusal | undefined {
  const fault = field === '.' || field.startsWith('..') ? 'begins with two dots' : faultOf(field);
  return fault === undefined ? undefined : { reason: 'KeyRefused', message: `The name of a field ${fault}.` };
}

/** What two programs could read differently is refused, not repaired. */
function faultOf(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name.includes('/')) return 'has a slash in it';
  if (!PRINTABLE.test(name) || name.includes('\uFFFD')) return 'has a character that is not printable';
  if (name.startsWith(' ') || name.endsWith(' ')) return 'has a space at its start or end';
  if (/[\\%?#]/.test(name)) return 'has one of the characters \\ % ? #';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`;
  return undefined;
}

/** Why files cannot keep this document unchanged, or undefined. */
export function documentRefusalOf({ address, attributes, fields }: Document): Refusal | undefined {
  const refusal = nameRefusalOf(address) ?? attributeRefusalOf(attributes);
  if (refusal !== undefined) return refusal;
  if (fields.size > MAX_FIELDS) {
    return { reason: 'TooManyKeys', message: `A folder takes at most ${MAX_FIELDS} fields.` };
  }
  let bytes = 0;
  for (const [field, value] of fields) {
    const fieldRefusal = fieldRefusalOf(field);
    if (fieldRefusal !== undefined) return fieldRefusal;
    bytes += value.byteLength;
  }
  if (bytes <= MAX_DOCUMENT_BYTES) return undefined;
  const message = `The document is larger than the ${MAX_DOCUMENT_BYTES} bytes that Keyferry keeps in files.`;
  return { reason: 'TooLarge', message };
}

function attributeRefusalOf({ type, immutable, expiresAt, notes }: Attributes): Refusal | undefined {
  if (type !== undefined) {
    return { reason: 'TypeRefused', message: 'Files cannot keep the type of a Secret, only Opaque.' };
  }
  if (expiresAt !== undefined) {
    return { reason: 'ExpiryRefused', message: 'Files cannot let a document expire.' };
  }
  if (immutable !== undefined) return unkept('cannot keep that a Secret is immutable');
  if (notes !== undefined && notes.size > 0) return unkept('have no place for labels or custom metadata');
  return undefined;
}

function unkept(what: string): Refusal {
  return { reason: 'NotRepresentable', message: `Files ${what}; use another destination or exclude it.` };
}
