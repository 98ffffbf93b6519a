import type { Attributes, Document } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import type { Refusal } from '../driver.ts';
import {
  attributesOf,
  Base64Marks,
  BASE64_MARKER,
  customMetadataOf,
  markersOf,
  metadataRefusalOf,
} from './markers.ts';
import type { Markers } from './markers.ts';
import { MAX_STORED_BYTES, storedSize } from './size.ts';

/*
 * Keys ↔ JSON. Values in well-formed UTF-8 are stored as text, so that every other client of the server can use them;
 * all others as base64, and custom_metadata names them (markers.ts).
 */

/** How to store one document: decided from names and bytes, before a request is sent. */
export interface StoragePlan {
  readonly base64: Base64Marks;
  /** The version that the write makes: the expected version plus one. */
  readonly version: number;
  readonly markers: Markers;
  /** The markers and the metadata. */
  readonly customMetadata: Readonly<Record<string, string>>;
}

/** The version of a write that expects the document to be absent. */
const FIRST_VERSION = 1;
/** A longer type does not fit into one custom_metadata value. */
const PRINTABLE_TYPE = /^[\x21-\x7e]{1,512}$/;

/**
 * Plans the encoding. For an overwrite, `existing` are the marks of the path and `version` is the version to write:
 * what was base64 stays base64, so that the current version stays readable even if the write is cut off.
 */
export function planStorage(
  document: Document,
  existing: Base64Marks = new Base64Marks([]),
  version: number = FIRST_VERSION,
): StoragePlan {
  const binary = [...document.fields].filter(([, value]) => !value.isText()).map(([name]) => name);
  const base64 = existing.with(binary, version);
  const markers = markersOf(document.attributes, base64);
  return { base64, version, markers, customMetadata: customMetadataOf(document.attributes, markers) };
}

/** Why the document cannot be stored as planned, or undefined. */
export function storageRefusalOf(document: Document, plan: StoragePlan): Refusal | undefined {
  const { type } = document.attributes;
  if (type !== undefined && !PRINTABLE_TYPE.test(type)) {
    return { reason: 'TypeRefused', message: 'The type must be 1 to 512 printable ASCII characters.' };
  }
  for (const name of document.fields.keys()) {
    if (!name.isWellFormed()) return { reason: 'KeyRefused', message: 'A key is not valid Unicode.' };
  }
  const metadataRefusal = metadataRefusalOf(document.attributes, plan.markers);
  if (metadataRefusal !== undefined) return metadataRefusal;
  const size = storedSize(document.fields, (name) => plan.base64.applies(name, plan.version));
  if (size > MAX_STORED_BYTES) {
    return {
      reason: 'TooLarge',
      message: `As JSON the document exceeds ${MAX_STORED_BYTES} bytes, the limit of one version.`,
    };
  }
  return undefined;
}

/** The `data` member of a write: strings only, for any names of keys. */
export function encodeFields(document: Document, plan: StoragePlan): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...document.fields].map(([name, value]) => [
      name,
      value.reveal().toString(plan.base64.applies(name, plan.version) ? 'base64' : 'utf8'),
    ]),
  );
}

export interface StoredFields {
  /** The `data` member of a reply, as parsed. */
  readonly data: object;
  readonly customMetadata: ReadonlyMap<string, string>;
  readonly version: number;
  /** The path, for errors. */
  readonly target: string;
}

export interface DecodedFields {
  readonly fields: ReadonlyMap<string, SecretValue>;
  readonly attributes: Attributes;
}

/**
 * Throws `DOCUMENT_REFUSED` if the value of a key is not a string (another client wrote it; any conversion would be a
 * guess), and `ENCODING_CORRUPT` if a value marked as base64 is not canonical base64 or a marker is not valid.
 */
export function decodeFields(stored: StoredFields): DecodedFields {
  const marks = Base64Marks.parse(stored.customMetadata.get(BASE64_MARKER), stored.target);
  const fields = new Map<string, SecretValue>();
  for (const [name, text] of Object.entries(stored.data) as [string, unknown][]) {
    if (typeof text !== 'string') throw notText(name, stored.target);
    fields.set(
      name,
      marks.applies(name, stored.version) ? fromBase64(name, text, stored.target) : fromText(text),
    );
  }
  return { fields, attributes: attributesOf(stored.customMetadata, stored.target) };
}

function fromText(text: string): SecretValue {
  return SecretValue.fromUtf8(text);
}

function fromBase64(name: string, text: string, target: string): SecretValue {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) {
    throw new OperatorError('ENCODING_CORRUPT', {
      op: 'openbao.decode',
      target,
      detail: `Key ${shown(name)} is marked as base64 but is not base64.`,
    });
  }
  return SecretValue.fromBytes(bytes);
}

function notText(name: string, target: string): OperatorError {
  return new OperatorError('DOCUMENT_REFUSED', {
    op: 'openbao.decode',
    target,
    detail: `Key ${shown(name)} has a JSON value that is not a string.`,
  });
}

/** A name of a key from another client, quoted and cut for a message. */
function shown(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}
