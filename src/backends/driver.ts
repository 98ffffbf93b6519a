import type { RefusalReason } from '#src/errors/reasons.ts';
import type { Capability } from './capabilities.ts';
import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';

/**
 * The contract between the engine and a place that keeps secrets. Drivers speak documents; they know no custom
 * resource, no policy and no order of steps. test/conformance runs the same suite against each of them.
 *
 * Failures are thrown as OperatorError with a code of src/errors.ts. 404, 403 and 5xx are three different things:
 * only the store's own 404 for the exact address is `absent`; a missing mount, a proxy's page or a denied request
 * throws. A write or delete whose reply never came throws with `indeterminate: true` and is never retried here.
 * Every method honours its signal and rejects with the signal's reason.
 */

/** What a plan may ask of a backend: everything that changes nothing. */
export interface Reader {
  readonly kind: string;
  readonly traits: DriverTraits;

  /**
   * Names below the query, paged, without values and in no promised order. A name whose current version is deleted is
   * listed too: it is taken. `AUTH_DENIED` means the names are unknown, not that there are none.
   */
  list(query: ListQuery, signal: AbortSignal): AsyncIterable<Entry>;

  /** Reads one exact address; with `revision`, exactly that revision where the store keeps several. */
  read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult>;

  /**
   * Reads many addresses in the cheapest way the store has (a page of values, or concurrent reads). Yields each
   * address at most once, in any order, one that does not exist as `absent`. One address that fails yields its error and
   * does not end the iteration; a failure of the whole (server gone) throws.
   */
  readMany(addresses: readonly Address[], signal: AbortSignal): AsyncIterable<ReadOutcome>;

  /** Why this document can never be stored here, or undefined. Pure: looks at names and sizes only, asks nobody. */
  refusalOf(document: Document): Refusal | undefined;

  /** Why no document can live at this address here (hostile or illegal path), or undefined. Pure. */
  addressRefusalOf(address: Address): Refusal | undefined;

  /**
   * Where this address physically is: two drivers that name the same place speak of one document, by whatever backend,
   * prefix or port they reach it. Throws `INVARIANT` before the first probe.
   */
  locationOf(address: Address): Location;

  /**
   * Asks the server, without side effects, which of these may not be done with the current credentials; at most one
   * refusal an address. An empty result is no promise: the write itself still decides.
   */
  denied(needs: readonly Need[], signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>>;

  /** Undefined where the store cannot keep what it removes under another name. */
  readonly backups: BackupReader | undefined;
}

/** A backend with everything that changes it. Only what carries out a plan has one. */
export interface Driver extends Reader, AsyncDisposable {
  /** Reaches the server once and reports what it can do. Throws when it cannot be used at all. */
  probe(signal: AbortSignal): Promise<Probe>;

  /**
   * Writes all fields as one version. `absent` fails with `ALREADY_EXISTS` when the name is taken (also by a deleted
   * version); a Version fails with `VERSION_CONFLICT` when the current one is another. A precondition is not optional.
   * A document that expires is never there without its expiry; `EXPIRED` when its time has come before it was written.
   */
  write(document: Document, expect: Expectation, signal: AbortSignal): Promise<Version>;

  /**
   * Removes exactly the state that was read: `VERSION_CONFLICT` when it changed, `NOT_FOUND` when it is gone. Never
   * removes history or another incarnation.
   */
  delete(address: Address, expect: Version, signal: AbortSignal): Promise<void>;

  /**
   * Does what a write that was cut off left to do for exactly this state (`StoredDocument.unfinished`), without a new
   * version. Errors are those of `delete`. Absent where a write is one request.
   */
  finish?(address: Address, expect: Version, signal: AbortSignal): Promise<void>;

  readonly backups: BackupStore | undefined;

  /** Undefined where a document cannot stay as the projection of another one. */
  readonly projections: ProjectionStore | undefined;
}

/** Marks documents that go on to be read here while their values are owned by another store. */
export interface ProjectionStore {
  /**
   * Marks the state that was read as a projection of `origin`, which is shown to people, and touches nothing else of it.
   * Writes nothing when it is marked so already. Errors are those of `delete`.
   */
  mark(address: Address, expect: Version, origin: string, signal: AbortSignal): Promise<void>;
}

/** Where the backups of documents are, and whether there are any. */
export interface BackupReader {
  /** What the backup of this document is called. Pure. */
  addressOf(address: Address): Address;

  /** True when there is one of this document. */
  has(address: Address, signal: AbortSignal): Promise<boolean>;
}

/** Keeps what a migration has moved away, readable by its owner but never again by a migration. */
export interface BackupStore extends BackupReader {
  /**
   * Keeps exactly the state that was read as a backup, then removes it from its own address; resolves with the address
   * of the backup, which no listing shows and `addressRefusalOf` refuses. Errors are those of `delete`;
   * `ALREADY_EXISTS`, with nothing removed, when there is another backup of that name with other bytes. After a lost
   * reply or a crash it may be called again: an equal backup is taken for its own.
   */
  retire(address: Address, expect: Version, signal: AbortSignal): Promise<Address>;

  /** Removes a backup for good; nothing happens when it is gone. `DOCUMENT_REFUSED` for what is no backup of ours. */
  discard(backup: Address, signal: AbortSignal): Promise<void>;
}

/** Two strings that are compared, never parsed. */
export interface Location {
  /** The store itself: server, mount, namespace, folder. */
  readonly store: string;
  /** The document in it. */
  readonly path: string;
}

/** Fixed by the kind of store, not by the server: known before the first request. */
export interface DriverTraits {
  /** `flat`: an address is one name (a Secret in its namespace). `tree`: an address is a path. */
  readonly addressing: 'flat' | 'tree';
  /** Requests that are worth having in flight at once. */
  readonly concurrency: number;
  /** True when every document has a type and is immutable or not: one that says nothing of it is Opaque and mutable. */
  readonly statesAttributes: boolean;
}

export interface Probe {
  /** Product and version as the server names itself, for display only; never decide on them. */
  readonly server: { readonly product: string; readonly version: string };
  /** Stable id of this very store (cluster id, mount accessor): another one later means a swapped or restored server. */
  readonly identity: string;
  /** The list is in capabilities.ts; found by asking the server, never by comparing version strings. */
  readonly capabilities: readonly Capability[];
}

export interface ListQuery {
  /** Tree stores: only names below this folder (no trailing slash; '' is the root). Flat stores have no folders. */
  readonly folder: Address;
  /** Tree stores: folders with nothing in them that is wanted, without a trailing slash. They are not asked for. */
  readonly skips?: (folder: Address) => boolean;
  /** Label selector in Kubernetes syntax; drivers without labels throw `CAPABILITY_MISSING`. */
  readonly labelSelector?: string;
}

export interface Entry {
  readonly address: Address;
  /** Type of the Kubernetes Secret, where the store has types. */
  readonly type?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export type ReadOutcome =
  | { readonly address: Address; readonly result: ReadResult }
  | { readonly address: Address; readonly error: unknown };

export interface Refusal {
  readonly reason: RefusalReason;
  /** One sentence with the limit that was passed, never the length of a value or a value. */
  readonly message: string;
}

export interface Need {
  readonly address: Address;
  readonly verbs: readonly ('read' | 'create' | 'update' | 'delete')[];
}
