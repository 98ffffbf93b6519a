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
  /** Whole seconds after which the store hides versions that are written later; absent: never, or not known. */
  readonly lifetime?: number;
  /** Descriptive pairs that travel along: custom metadata of a KV path, labels of a Secret; never Keyferry's own marks. */
  readonly metadata?: ReadonlyMap<string, string>;
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
  /** The identity means nothing outside this process: it is compared in memory and never recorded. */
  readonly isEphemeral?: true;
}

export interface StoredDocument extends Document {
  readonly version: Version;
  /** A write was cut off after its data: `Driver.finish` does the rest. */
  readonly unfinished?: true;
}

/** What a read at one exact address found. Errors and refusals are thrown, they are never one of these. */
export type ReadResult =
  | { readonly state: 'absent' }
  /** A name whose current version was deleted or destroyed: taken, although there is nothing to read. */
  | {
      readonly state: 'deleted';
      readonly version: Version;
      /** It came to the end of its life; nobody removed it. */
      readonly expired?: true;
    }
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

/**
 * How far the end of a copy may lie from that of its original, milliseconds: a life is whole seconds, a server tells its
 * time in whole seconds, and a write takes its time.
 */
export const EXPIRY_TOLERANCE_MS = 3_000;

/** Milliseconds since the epoch; Infinity for what stays. */
function endOf({ attributes: { expiresAt } }: Document): number {
  return expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
}

/** True when the copy is still there after the original has expired. */
export function outlives(copy: Document, original: Document): boolean {
  return endOf(copy) > endOf(original) + EXPIRY_TOLERANCE_MS;
}

/** True when the copy is gone while the original is still there. */
export function expiresBefore(copy: Document, original: Document): boolean {
  return endOf(copy) < endOf(original) - EXPIRY_TOLERANCE_MS;
}

function sameKind(left: Document, right: Document): boolean {
  return (
    left.attributes.type === right.attributes.type && left.attributes.immutable === right.attributes.immutable
  );
}

/** True when a document says that it is Opaque and mutable, or says nothing of either. */
export function isPlain({ attributes: { type, immutable } }: Document): boolean {
  return type === undefined && immutable === undefined;
}

/** True when the copy has all metadata of the original; it may have more. */
export function keepsMetadata(original: Document, copy: Document): boolean {
  for (const [key, value] of original.attributes.metadata ?? []) {
    if (copy.attributes.metadata?.get(key) !== value) return false;
  }
  return true;
}

/** True when type and immutability agree, or the original knows nothing of either. */
export function keepsKind(original: Document, copy: Document): boolean {
  return isPlain(original) || sameKind(original, copy);
}

/** True when type and immutability agree and the copy has all metadata of the original. Expiry is compared by itself. */
export function sameAttributes(original: Document, copy: Document): boolean {
  return sameKind(original, copy) && keepsMetadata(original, copy);
}

/** True when a copy loses nothing that `original` knows besides its bytes, and lives as long as it does, no longer. */
export function keepsAttributes(original: Document, copy: Document): boolean {
  return (
    keepsKind(original, copy) &&
    keepsMetadata(original, copy) &&
    !outlives(copy, original) &&
    !expiresBefore(copy, original)
  );
}
