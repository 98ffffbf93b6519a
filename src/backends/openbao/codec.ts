import type { Attributes, Document } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { quoted } from '#src/errors/explain.ts';
import { OperatorError } from '#src/errors.ts';
import type { Refusal } from '../refusal.ts';
import { JsonText, objectText } from './exact-json.ts';
import { hasRoundedNumber, levelsRefusalOf, roundingRefusalOf } from './json-values.ts';
import {
  attributesOf,
  inBase64,
  labelsAt,
  labelsFor,
  marksOf,
  marksWith,
  namesBase64,
  NO_MARKS,
} from './markers.ts';
import type { Labels, PathMarks } from './markers.ts';
import { metadataRefusalOf } from './metadata.ts';
import { isCertainlyStorable, MAX_STORED_BYTES, storedSize } from './size.ts';

/*
 * Keys ↔ JSON. Values in well-formed UTF-8 are stored as text, so that every other client of the server can use them;
 * all others as base64, and custom_metadata names them (markers.ts). A value that is JSON, and not a string, is stored as it is.
 */

/** How to store one document: decided from names and bytes, before a request is sent. */
export interface StoragePlan {
  /** The version that the write makes: the expected version plus one. */
  readonly version: number;
  /** What the marks say of that version. */
  readonly labels: Labels;
  /** The marks of all versions of the path. */
  readonly marks: PathMarks;
}

/** The path that a document is written to, as far as it matters for the markers. */
export interface Destination {
  readonly marks: PathMarks;
  readonly version: number;
  /** The oldest version that still exists. */
  readonly oldest: number;
}

/** A path that has never had a version. */
const NEW_PATH: Destination = { marks: NO_MARKS, version: 1, oldest: 1 };
/** A longer type does not fit into one custom_metadata value, with the versions that have it. */
const PRINTABLE_TYPE = /^[\x21-\x7e]{1,480}$/;

/** Plans the encoding. The marks of earlier versions stay, so that these stay readable. */
export function planStorage(
  document: Document,
  { marks, version, oldest }: Destination = NEW_PATH,
): StoragePlan {
  const binary = [...document.fields].filter(([, value]) => !value.isText()).map(([name]) => name);
  const all = marksWith(marks, labelsFor(document, binary), { version, oldest });
  return { version, marks: all, labels: labelsAt(all, version, document.address) };
}

/** Why the document cannot be stored as planned, or undefined. */
export function storageRefusalOf(document: Document, plan: StoragePlan): Refusal | undefined {
  const { type } = document.attributes;
  if (type !== undefined && !PRINTABLE_TYPE.test(type)) {
    return { reason: 'TypeRefused', message: 'The type must be 1 to 480 printable ASCII characters.' };
  }
  for (const name of document.fields.keys()) {
    if (!name.isWellFormed())
      return { reason: 'KeyRefused', message: `The key ${quoted(name)} is not valid Unicode.` };
  }
  const metadataRefusal = metadataRefusalOf(document.attributes, plan.marks);
  if (metadataRefusal !== undefined) return metadataRefusal;
  const jsonRefusal = levelsRefusalOf(document.fields) ?? roundingRefusalOf(document.fields);
  if (jsonRefusal !== undefined) return jsonRefusal;
  if (isCertainlyStorable(document.fields)) return undefined;
  const size = storedSize(document.fields, (name) => inBase64(plan.labels, name));
  if (size > MAX_STORED_BYTES) {
    return {
      reason: 'TooLarge',
      message: `As JSON the document exceeds ${MAX_STORED_BYTES} bytes, the limit of one version.`,
    };
  }
  return undefined;
}

/** The `data` member of a write, for any names of keys. */
export function encodeFields(
  { fields }: Pick<Document, 'fields'>,
  { labels }: { readonly labels: Pick<Labels, 'base64'> },
): JsonText {
  return objectText([...fields].map(([name, value]) => [name, encoded(value, inBase64(labels, name))]));
}

function encoded(value: SecretValue, asBase64: boolean): JsonText {
  const bytes = value.reveal();
  if (value.isJson) return new JsonText(bytes.toString('utf8'));
  return new JsonText(JSON.stringify(bytes.toString(asBase64 ? 'base64' : 'utf8')));
}

export interface StoredFields {
  /** The `data` member of a reply: strings, and a JsonText for each other value. */
  readonly data: object;
  readonly customMetadata: ReadonlyMap<string, string>;
  readonly version: number;
  /** The path, for errors. */
  readonly target: string;
  /** The server returns each number as it was written: KV version 1. */
  readonly keepsNumbers?: true;
}

export interface DecodedFields {
  readonly fields: ReadonlyMap<string, SecretValue>;
  readonly attributes: Attributes;
  /** The marks say that Keyferry wrote the version. */
  readonly isMarked: boolean;
}

/**
 * Throws `DOCUMENT_REFUSED` for a number that the server has rounded, as far as that can be known, and `ENCODING_CORRUPT` if a
 * value marked as base64 is not canonical base64 or a marker is not valid.
 */
export function decodeFields(stored: StoredFields): DecodedFields {
  const { customMetadata, target, version } = stored;
  const labels = labelsAt(marksOf(customMetadata, target), version, target);
  const fields = new Map<string, SecretValue>();
  for (const [name, member] of Object.entries(stored.data) as [string, unknown][]) {
    if (typeof member === 'string') {
      fields.set(name, inBase64(labels, name) ? fromBase64(name, member, target) : fromText(member));
      continue;
    }
    if (namesBase64(labels, name)) throw notBase64(name, target);
    const value = fromJson(member, target);
    if (stored.keepsNumbers !== true && hasRoundedNumber(value)) throw rounded(name, target);
    fields.set(name, value);
  }
  return { fields, attributes: attributesOf(labels, customMetadata, target), isMarked: labels.written };
}

function fromText(text: string): SecretValue {
  return SecretValue.fromUtf8(text);
}

function fromBase64(name: string, text: string, target: string): SecretValue {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw notBase64(name, target);
  return SecretValue.fromBytes(bytes);
}

function fromJson(member: unknown, target: string): SecretValue {
  if (member instanceof JsonText) return SecretValue.fromJson(member.text);
  throw new OperatorError('INVARIANT', { op: 'openbao.decode', target });
}

function notBase64(name: string, target: string): OperatorError {
  return new OperatorError('ENCODING_CORRUPT', {
    op: 'openbao.decode',
    target,
    detail: `Key ${quoted(name)} is marked as base64 but is not base64.`,
  });
}

function rounded(name: string, target: string): OperatorError {
  return new OperatorError('DOCUMENT_REFUSED', {
    op: 'openbao.decode',
    target,
    detail: `Key ${quoted(name)} has a number beyond 2^53, which KV version 2 rounds when it is read.`,
    hint: 'Store it as a string with all its digits, or exclude the document.',
  });
}
