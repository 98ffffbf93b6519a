import type { Refusal } from './refusal.ts';
import type { Capability } from './capabilities.ts';
import type {
  Address,
  Document,
  Expectation,
  ReadResult,
  StoredDocument,
  Version,
} from '#src/core/document.ts';
import type { OperatorError } from '#src/errors.ts';
import type { Addresses } from './addresses.ts';
import type { ReadScope, WriteHint } from './hints.ts';
import type { Listed, ListedVersion, ListQuery } from './listing.ts';
import type { Permit, ServerTime } from '#src/ports.ts';

/**
 * The contract between the engine and a store of secrets. Drivers work on documents; they do not know custom resources,
 * policies or the order of steps. test/conformance runs the same suite against each of them.
 *
 * A failure is an OperatorError with a code of src/errors.ts. 404, 403 and 5xx are three different things: only the 404
 * of the store itself for the exact address is `absent`; a missing mount, the page of a proxy or a denied request
 * throws. A write or delete without a reply throws with `indeterminate: true` and is never retried here. Every method
 * honors its signal and rejects with the reason of the signal. A change asks its permit right before each request that
 * changes something, and throws what the permit throws.
 */

/** The part of a backend that changes nothing: a plan uses only this. */
export interface Reader {
  readonly kind: string;
  readonly traits: DriverTraits;

  /** The clock of its server. Undefined for a store without one of its own: the API server is asked anyway. */
  readonly serverTime: ServerTime | undefined;

  /**
   * Names that match the query, in pages, without values and in no particular order. Lists a name whose current version
   * is deleted too, because the name is taken. `addressRefusalOf` accepts every address of an Entry. What cannot be
   * listed (an illegal name, a folder below that of the query) is yielded as a problem of that address, and the listing
   * goes on; only a failure of the whole query throws. Then the names are unknown, not absent: also with `AUTH_DENIED`.
   */
  list(query: ListQuery, signal: AbortSignal): AsyncIterable<Listed>;

  /**
   * Which state each document is in that `list` yields for this query, without values: in the cheapest way of the store,
   * which is made for asking again and again. A version is that of a `read` at some time during the call, so a change while
   * it goes on is told by this call or by the next one. A change that makes no version (custom metadata of KV) is not told.
   * Problems and failures are those of `list`.
   */
  versions(query: ListQuery, signal: AbortSignal): AsyncIterable<ListedVersion>;

  /** Reads one exact address. With `revision`, reads exactly that revision if the store keeps several. */
  read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult>;

  /**
   * Reads many addresses in the cheapest way of the store (pages of values, or concurrent reads). Yields each address
   * at most once, in any order; an address that does not exist as `absent`. An address that fails yields its error and
   * does not end the iteration; a failure of the backend (server gone) throws. The addresses are iterated once, as far as
   * they are needed. A page has no values of other documents, as far
   * as the store lets a request leave them out and `scope` tells what is there.
   */
  readMany(addresses: Addresses, signal: AbortSignal, scope?: ReadScope): AsyncIterable<ReadOutcome>;

  /**
   * Requests a second that the server accepts, as its refusals taught; undefined as long as it refused none. A driver
   * with a quota waits and sends again what was refused: it is not a failure.
   */
  acceptedPerSecond?(): number | undefined;

  /** Why this document can never be stored here, or undefined. Pure: checks names and sizes, sends no request. */
  refusalOf(document: Document): Refusal | undefined;

  /** Why no document can live at this address here (hostile or illegal path), or undefined. Pure. */
  addressRefusalOf(address: Address): Refusal | undefined;

  /**
   * The physical location of this address: equal locations are the same document, whatever backend, prefix or port
   * leads to it. Throws `INVARIANT` before the first probe.
   */
  locationOf(address: Address): Location;

  /**
   * Asks the server, without side effects, which of these needs the current credentials do not allow; at most one
   * refusal per address. The needs are iterated as often as it takes. An empty result is not a promise: the write itself still decides.
   */
  denied(needs: Iterable<Need>, signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>>;

  /**
   * Why the current version of this address would not stay readable by its revision after an overwrite, or undefined.
   * Not a promise: a setting can change, so the version is read again after the write. Undefined if the capability
   * `Versions` says it for every address.
   */
  overwriteRefusal?(address: Address, signal: AbortSignal): Promise<Refusal | undefined>;

  /**
   * True if the store is being deleted with all that is in it (a namespace that terminates). Asks the server if that can
   * happen to such a store.
   */
  isLeaving(signal: AbortSignal): Promise<boolean>;

  /** Set if the store fences removals: a removal then also needs the right `update`. */
  readonly claims: object | undefined;

  /** Undefined if the store cannot keep a removed document under another name. */
  readonly backups: BackupReader | undefined;

  /** Set if the store can keep a copy of a document beside it, before another value replaces it. */
  readonly copies: object | undefined;
}

/** A backend with all operations that change it. Only the code that applies a plan has one. */
export interface Driver extends Reader, AsyncDisposable {
  /** Asks the server what it can do. Throws if the backend cannot be used at all. */
  probe(signal: AbortSignal): Promise<Probe>;

  /**
   * Writes all keys as one version. The precondition is not optional: `absent` fails with `ALREADY_EXISTS` if the name
   * is taken (also by a deleted version); a Version fails with `VERSION_CONFLICT` if the current version differs, and with
   * `DOCUMENT_IMMUTABLE` if it is immutable and has other bytes. A document that expires is never stored without its expiry; throws `EXPIRED` if it expired before it was written.
   * `hint` changes only which requests are sent.
   */
  write(document: Document, expect: Expectation, permit: Permit, hint?: WriteHint): Promise<Version>;

  /**
   * As `write`; resolves with the document as the store now has it, which its reply to the write shows: a read of that version
   * at that moment would find the same. Undefined if replies of the store do not show what was stored.
   */
  readonly writeAndRead?:
    ((document: Document, expect: Expectation, permit: Permit) => Promise<StoredDocument>) | undefined;

  /**
   * Gives a document that is immutable another value, where a write throws `DOCUMENT_IMMUTABLE`: deletes exactly the state that
   * was read, then creates another incarnation with this value under the same name. What else the store keeps with the
   * document stays, and it stays immutable. Between both the document is not there: the caller keeps a copy first, and its
   * permit must allow to complete what has begun. Throws the errors of `delete`, and of a create with nothing changed if it
   * can know them before; a later failure says that the document is gone, and a write that expects `absent` creates it.
   * Undefined if the store has no immutable documents.
   */
  recreate?(document: Document, expect: Version, permit: Permit): Promise<Version>;

  /**
   * Removes exactly the state that was read. Throws `VERSION_CONFLICT` if it changed and `NOT_FOUND` if it is gone.
   * Never removes history or another incarnation.
   */
  delete(address: Address, expect: Version, permit: Permit): Promise<void>;

  /**
   * Does the remaining steps of a write of this document that was cut off, for exactly this state
   * (`StoredDocument.unfinished`) and without a new version. Throws the errors of `delete`. Undefined if a write is one
   * request.
   */
  finish?(document: Document, expect: Version, permit: Permit): Promise<void>;

  /**
   * Removes what a write that was cut off has prepared, for exactly this state (`unfinished` or `prepared`) and without
   * a change of a key. The version stays as its writer left it. Throws the errors of `delete`, and `AUTH_DENIED` if
   * something has to stay. Undefined if a write is one request.
   */
  undo?(address: Address, expect: Version, permit: Permit): Promise<void>;

  /**
   * Makes exactly the deleted version that was read readable again, without a new version. Throws `VERSION_CONFLICT` if
   * another version is the current one, `NOT_FOUND` if nothing of the document is kept. Undefined if the store keeps nothing
   * of what is deleted.
   */
  undelete?(address: Address, expect: Version, permit: Permit): Promise<void>;

  readonly backups: BackupStore | undefined;

  readonly copies: CopyStore | undefined;

  /** Undefined if the store has no precondition that a claim could break: docs/removals.md says what remains. */
  readonly claims: ClaimStore | undefined;

  /** Undefined if a document cannot stay as a projection of another one. */
  readonly projections: ProjectionStore | undefined;
}

/**
 * Fences removals: a claim changes the version of a document, so a removal that another process prepared before, with an
 * older version, fails.
 */
export interface ClaimStore {
  /**
   * Claims exactly the state that was read, as `by` (at most 63 letters, digits, `-` and `.`). Resolves with the new
   * version; changes nothing else. Throws the errors of `delete`.
   */
  claim(address: Address, expect: Version, by: string, permit: Permit): Promise<Version>;

  /**
   * Releases every claim for which `isStale` holds: that changes the version again, so the removal of its owner fails. A
   * document that changes meanwhile is left alone, because that changes its version too. Writes nothing without claims.
   * A store that cannot list its claims looks for them at the addresses in `among`, which must contain every document that
   * the caller can have claimed; `among` is asked only then.
   */
  release(
    isStale: (by: string) => boolean,
    permit: Permit,
    among: () => Promise<Iterable<Address>>,
  ): Promise<void>;
}

/** Marks documents that are still read here while another store owns their values. */
export interface ProjectionStore {
  /**
   * Marks the state that was read as a projection of `origin`, a text for users, and changes nothing else of it. Writes
   * nothing if the same mark exists. Throws the errors of `delete`.
   */
  mark(address: Address, expect: Version, origin: string, permit: Permit): Promise<void>;

  /**
   * Takes the mark of this origin off the state that was read, and changes nothing else of it. Writes nothing if there is no
   * mark, or that of another origin. Throws the errors of `delete`.
   */
  unmark(address: Address, expect: Version, origin: string, permit: Permit): Promise<void>;
}

/** Where the backups of documents are, and whether they exist. */
export interface BackupReader {
  /** The address of the backup of this document. Pure. */
  addressOf(address: Address): Address;

  /** True if this document has a backup. */
  has(address: Address, signal: AbortSignal): Promise<boolean>;

  /**
   * The backup at this address: bytes, type, immutability, labels and annotations of the document that it keeps. Undefined if
   * it is gone. Throws `DOCUMENT_REFUSED` if it is not a backup of Keyferry.
   */
  get(backup: Address, signal: AbortSignal): Promise<Document | undefined>;
}

/** Keeps sources that a migration moved: their owner can read them, a migration never reads them again. */
export interface BackupStore extends BackupReader {
  /**
   * Keeps exactly the state that was read as a backup, then removes it from its own address. Resolves with the address
   * of the backup, which no listing shows and `addressRefusalOf` refuses. Throws the errors of `delete`, and
   * `ALREADY_EXISTS`, with nothing removed, if a backup of that name has other bytes. Can be called again after a lost
   * reply or a crash: an equal backup counts as its own.
   */
  retire(address: Address, expect: Version, permit: Permit): Promise<Address>;

  /**
   * Removes a backup permanently; does nothing if it is gone. Throws `DOCUMENT_REFUSED` if it is not a backup of
   * Keyferry.
   */
  discard(backup: Address, permit: Permit): Promise<void>;
}

/** Keeps copies of values that Keyferry replaces, for some time, in a store that keeps no versions. */
export interface CopyStore {
  /**
   * Keeps exactly the state that was read as a copy, until `expiresAt` (RFC 3339), and leaves the original as it is. Resolves
   * once the copy was stored, read back and compared, with its address, which no listing shows, `addressRefusalOf` refuses
   * and `BackupReader.get` reads. Throws `NOT_FOUND` or `VERSION_CONFLICT` if the original is not in that state any more, and
   * `ALREADY_EXISTS` if a document of that name is not this copy. Can be called again after a lost reply or a crash: an equal
   * copy counts as its own, and then expires at the later time.
   */
  keep(address: Address, expect: Version, expiresAt: string, permit: Permit): Promise<Address>;

  /**
   * Removes the kept copies that expired (milliseconds since the epoch), in exactly the state that was listed; yields each
   * of them, and what failed for one of them, which does not stop the others. Never touches another backup. Does nothing
   * without the right to list.
   */
  discardExpired(nowMs: number, permit: Permit): AsyncIterable<Discarded>;
}

/** A kept copy that was removed, or the reason why not. */
export interface Discarded {
  readonly address: Address;
  readonly error?: OperatorError;
}

/** Strings to compare, never to parse. */
export interface Location {
  /** The store itself: server, mount, namespace, folder. */
  readonly store: string;
  /** The document in it. */
  readonly path: string;
  /** Absolute path of the file, if a document can contain the folder of another store. */
  readonly file?: string;
}

/** Traits of the kind of store, not of the server: known before the first request. */
export interface DriverTraits {
  /** `flat`: an address is one name (a Secret in its namespace). `tree`: an address is a path. */
  readonly addressing: 'flat' | 'tree';
  /** Useful number of concurrent requests; smaller while a quota of the server allows less. */
  readonly concurrency: number;
  /** True if every document has a type and a mutability: without attributes, a document is Opaque and mutable. */
  readonly statesAttributes: boolean;
  /** `readMany` is far fewer requests than a `read` of each. */
  readonly readsInPages?: true;
  /** It keeps JSON values that are not strings. Others keep bytes, and refuse such a document. */
  readonly holdsJson?: true;
  /** Files of this machine: its operations send no request. */
  readonly isLocal?: true;
  /** Of the server, if the author of the backend chose its address: see `ErrorDetail.unansweredAt`. */
  readonly origin?: string;
}

/** `identity` of a store that does not let its identity be read: it is equal to every other. */
export const UNKNOWN_IDENTITY = 'unknown';

export interface Probe {
  /** Product and version as the server names itself, for display only; never decide on them. */
  readonly server: { readonly product: string; readonly version: string };
  /** Stable id of this store (cluster id, mount accessor). A different id later means a replaced or restored server. */
  readonly identity: string;
  /**
   * Origin of the server, where a server can be copied together with its identity; undefined where the identity is that of
   * the place itself. One identity at two origins is one server or a server and its copy: nothing tells which.
   */
  readonly origin?: string;
  /** Found by requests to the server, never by comparing version strings. */
  readonly capabilities: readonly Capability[];
  /** What a user must know of this version of the server, and what to do: whole sentences. Nothing is decided by it. */
  readonly warning?: string;
}

export type ReadOutcome =
  | { readonly address: Address; readonly result: ReadResult }
  | { readonly address: Address; readonly error: unknown };

export interface Need {
  readonly address: Address;
  readonly verbs: readonly ('read' | 'create' | 'update' | 'delete')[];
}
