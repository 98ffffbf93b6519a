import type { SecretValue } from './secret-value.ts';

/**
 * Where a document lives inside its backend: the name of a Secret, or a slash-separated path below the backend's
 * prefix in a KV store. Relative, no leading or trailing slash, no empty, `.` or `..` segment.
 */
export type Address = string;

/** What must survive a move besides the bytes. Only what differs from the default is set. */
export interface Attributes {
  /** Type of the Kubernetes Secret; absent means `Opaque`. */
  readonly type?: string;
  /** Present when the Secret is immutable. */
  readonly immutable?: true;
  /** RFC 3339: when the store hides this version by itself. Absent: never. */
  readonly expiresAt?: string;
  /** Descriptive pairs that travel along: custom metadata of a KV path, labels of a Secret; never Keyferry's own marks. */
  readonly notes?: ReadonlyMap<string, string>;
}

/** One Secret or one KV path: fields are written together, as one version. */
export interface Document {
  readonly address: Address;
  /** Field name → bytes. May be empty. */
  readonly fields: ReadonlyMap<string, SecretValue>;
  readonly attributes: Attributes;
}

/**
 * Opaque token of one state of one incarnation of a document: a Kubernetes uid and resourceVersion, a KV v2 version
 * and its created_time. It comes only out of a read (or of the write that made it); it is compared for equality and
 * handed back to the driver, nothing else.
 */
export interface Version {
  /** Which incarnation: a deleted and re-created document has another one. */
  readonly identity: string;
  /** Which state of it: resourceVersion, or the decimal KV version. */
  readonly revision: string;
}

export interface StoredDocument extends Document {
  readonly version: Version;
}

/** What a read at one exact address found. Errors and refusals are thrown, they are never one of these. */
export type ReadResult =
  | { readonly state: 'absent' }
  /** A name whose current version was deleted or destroyed: taken, although there is nothing to read. */
  | { readonly state: 'deleted'; readonly version: Version }
  | { readonly state: 'present'; readonly document: StoredDocument };

/** Precondition of a write. */
export type Expectation = 'absent' | Version;

export function sameVersion(left: Version, right: Version): boolean {
  return left.identity === right.identity && left.revision === right.revision;
}

/** True when both hold the same field names with the same bytes. */
export function sameFields(left: Document, right: Document): boolean {
  if (left.fields.size !== right.fields.size) return false;
  for (const [name, value] of left.fields) {
    const other = right.fields.get(name);
    if (other === undefined || !value.equals(other)) return false;
  }
  return true;
}

/** True when type and immutability agree. */
export function sameAttributes(left: Document, right: Document): boolean {
  return (
    left.attributes.type === right.attributes.type && left.attributes.immutable === right.attributes.immutable
  );
}

/** True when a copy loses nothing that `original` knows besides its bytes: it knows nothing, or both say the same. */
export function keepsAttributes(original: Document, copy: Document): boolean {
  return Object.keys(original.attributes).length === 0 || sameAttributes(original, copy);
}
