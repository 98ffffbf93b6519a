import type { SecretValue } from './secret-value.ts';

/**
 * Where a document lives inside its backend: the name of a Secret, or a slash-separated path below the backend's
 * prefix in a KV store. Relative, no leading or trailing slash, no empty, `.` or `..` segment.
 */
export type Address = string;

/** What a move must preserve besides the bytes. Only values that differ from the default are set. */
export interface Attributes {
  /** Type of the Kubernetes Secret; absent means `Opaque`. */
  readonly type?: string;
  /** Present when the Secret is immutable. */
  readonly immutable?: true;
  /** RFC 3339: when the backend hides this version automatically. Absent: never. */
  readonly expiresAt?: string;
  /** Whole seconds after which the backend hides versions that are written later. Absent: never, or unknown. */
  readonly lifetime?: number;
  /** Descriptive pairs that are copied too: custom metadata of a KV path, labels of a Secret; never Keyferry's own marks. */
  readonly metadata?: ReadonlyMap<string, string>;
  /** Labels of a Secret in a store whose metadata are others; never Keyferry's own. */
  readonly labels?: ReadonlyMap<string, string>;
  /** Annotations of a Secret; never Keyferry's own, and never a copy of the Secret (last-applied-configuration). */
  readonly annotations?: ReadonlyMap<string, string>;
}

/** The attributes that are pairs of texts. */
export const PAIRED_ATTRIBUTES = ['metadata', 'labels', 'annotations'] as const;

/** One Secret or one KV path. Its keys are written together, as one version. */
export interface Document {
  readonly address: Address;
  /** Key → bytes. May be empty. */
  readonly fields: ReadonlyMap<string, SecretValue>;
  readonly attributes: Attributes;
  /**
   * The version at the other side that it was written from, of a document that is kept in step. A store that can keep a mark
   * stores it in the same write; another one ignores it.
   */
  readonly reflects?: Reflected;
  /**
   * It may be removed once its original is. A store that keeps no `reflects` then stores the mark that Keyferry wrote this
   * version, if it can.
   */
  readonly prunable?: true;
  /** The document of a user that comes back where it was: not a copy, so a store does not mark it as one of Keyferry. */
  readonly isOriginal?: true;
}

/** What a document says of the version at the other side that it was written from. */
export interface Reflected {
  readonly version: Version;
  /** The revision of the document that this write replaced; absent if it created the document. The driver fills it in. */
  readonly replaced?: string;
}

/**
 * Opaque token of one state of one incarnation of a document: a Kubernetes uid and resourceVersion, a KV v2 version
 * and its created_time. It comes only from a read (or from the write that made it); it is compared for equality and
 * passed back to the driver, nothing else.
 */
export interface Version {
  /** The incarnation: a document that was deleted and re-created has another one. */
  readonly identity: string;
  /** The state of that incarnation: resourceVersion, or the decimal KV version. */
  readonly revision: string;
  /** The identity is valid only inside this process: it is compared in memory and never recorded. */
  readonly isEphemeral?: true;
}

export interface StoredDocument extends Document {
  readonly version: Version;
  /**
   * It carries the mark of Keyferry, which wrote it: on a Secret, a readable annotation `keyferry.io/reflects`; in KV version 2,
   * the entry `keyferry-written` of the custom metadata names this version.
   */
  readonly isMarked?: true;
  /**
   * A write was cut off, and this version can be its result: `Driver.finish` completes it, `Driver.undo` removes what the
   * write prepared for it. Until then its bytes, type and expiry are not certain.
   */
  readonly unfinished?: true;
  /** A write that was cut off has prepared the place for another version; this one is as it was written. */
  readonly prepared?: true;
  /** It is being deleted, and exists only until a finalizer is done: it proves nothing. */
  readonly isLeaving?: true;
  /** `Kind name` of an object with which the store removes it: it proves nothing once a source is to be removed. */
  readonly owner?: string;
  /**
   * Another program that says on the document that it writes it (`cert-manager`), whether it owns it or not: it would undo a
   * change. A copy that Keyferry made has none.
   */
  readonly manager?: string;
  /** A program that copies it to other places, and removes the copies with it. */
  readonly replicator?: string;
  /** It lets cert-manager put its CA into webhooks and API services. */
  readonly suppliesCa?: true;
}

/** What else depends on a document, as it says itself: who would undo its removal, or carry it on. */
export type Ties = Pick<StoredDocument, 'owner' | 'manager' | 'replicator' | 'suppliesCa'>;

const NO_TIES: Ties = Object.freeze({});

/** The ties of a document alone, so that its bytes need not be kept. */
export function tiesOf({ owner, manager, replicator, suppliesCa }: Ties): Ties {
  if ((owner ?? manager ?? replicator ?? suppliesCa) === undefined) return NO_TIES;
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(manager === undefined ? {} : { manager }),
    ...(replicator === undefined ? {} : { replicator }),
    ...(suppliesCa === undefined ? {} : { suppliesCa }),
  };
}

/** What a read of one exact address found. Errors and refusals are thrown; they are never a result. */
export type ReadResult =
  | { readonly state: 'absent' }
  /** The current version was deleted or destroyed: the name is taken, but there is nothing to read. */
  | {
      readonly state: 'deleted';
      readonly version: Version;
      /** It expired; no writer deleted it. */
      readonly expired?: true;
      /** As in a StoredDocument. */
      readonly prepared?: true;
    }
  | { readonly state: 'present'; readonly document: StoredDocument };

/** Precondition of a write. */
export type Expectation = 'absent' | Version;

export function sameVersion(left: Version, right: Version): boolean {
  return left.identity === right.identity && left.revision === right.revision;
}

/** True when both have the same keys with the same bytes. */
export function sameFields(left: Document, right: Document): boolean {
  if (left.fields.size !== right.fields.size) return false;
  for (const [name, value] of left.fields) {
    const other = right.fields.get(name);
    if (other === undefined || !value.equals(other)) return false;
  }
  return true;
}

/**
 * Milliseconds by which the expiry of a copy may differ from that of its original: a lifetime is whole seconds, a server
 * reports its time in whole seconds, and a write takes time.
 */
export const EXPIRY_TOLERANCE_MS = 3_000;

/** Milliseconds since the epoch; Infinity for a document that does not expire. */
function endOf({ attributes: { expiresAt } }: Document): number {
  return expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
}

/** True when the copy expires after the original, by more than the tolerance. */
export function outlives(copy: Document, original: Document): boolean {
  return endOf(copy) > endOf(original) + EXPIRY_TOLERANCE_MS;
}

/** True when the copy expires before the original, by more than the tolerance. */
export function expiresBefore(copy: Document, original: Document): boolean {
  return endOf(copy) < endOf(original) - EXPIRY_TOLERANCE_MS;
}

function sameKind(left: Document, right: Document): boolean {
  return (
    left.attributes.type === right.attributes.type && left.attributes.immutable === right.attributes.immutable
  );
}

/** True when a document is Opaque and mutable, or states neither type nor immutability. */
export function isPlain({ attributes: { type, immutable } }: Document): boolean {
  return type === undefined && immutable === undefined;
}

/** One of the pairs of a document. */
export interface Pair {
  readonly part: (typeof PAIRED_ATTRIBUTES)[number];
  readonly key: string;
  readonly value: string;
}

/** All metadata, labels and annotations of a document. */
export function pairsOf({ attributes }: Pick<Document, 'attributes'>): readonly Pair[] {
  return PAIRED_ATTRIBUTES.flatMap((part) =>
    [...(attributes[part] ?? [])].map(([key, value]) => ({ part, key, value })),
  );
}

/** True when the copy has the pair. A label can also be metadata of the same name: other tools find it there. */
export function keepsPair({ attributes }: Document, { part, key, value }: Pair): boolean {
  if (attributes[part]?.get(key) === value) return true;
  return part === 'labels' && attributes.metadata?.get(key) === value;
}

/** True when the copy has all metadata, labels and annotations of the original; it may have more. */
export function keepsMetadata(original: Document, copy: Document): boolean {
  return pairsOf(original).every((pair) => keepsPair(copy, pair));
}

/** True when type and immutability agree, or the original has neither. */
export function keepsKind(original: Document, copy: Document): boolean {
  return isPlain(original) || sameKind(original, copy);
}

/** True when type and immutability agree and the copy has all metadata of the original. Does not compare expiry. */
export function sameAttributes(original: Document, copy: Document): boolean {
  return sameKind(original, copy) && keepsMetadata(original, copy);
}

/** True when the copy has all attributes of the original and expires at the same time. Does not compare bytes. */
export function keepsAttributes(original: Document, copy: Document): boolean {
  return (
    keepsKind(original, copy) &&
    keepsMetadata(original, copy) &&
    !outlives(copy, original) &&
    !expiresBefore(copy, original)
  );
}
