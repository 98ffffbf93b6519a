import type { Address, Version } from '#src/core/document.ts';
import type { OperatorError } from '#src/errors.ts';
import type { LeftOutReason } from '#src/errors/reasons.ts';
import type { Refusal } from './refusal.ts';

/*
 * What a listing is asked for, and what it yields.
 */

export interface ListQuery {
  /** Tree stores: only names below this folder (no trailing slash; '' is the root). Flat stores have no folders. */
  readonly folder: Address;
  /** Tree stores: true for a folder (no trailing slash) without wanted names. Such a folder is not requested. */
  readonly skips?: (folder: Address) => boolean;
  /**
   * `versions` only: false for a document whose version nobody needs. A store that must ask for each does not ask for it, and then
   * does not yield it; others can yield it.
   */
  readonly wants?: (address: Address) => boolean;
  /** Called once for each document that this listing leaves out, with the reason. Absent: nobody counts them. */
  readonly leftOut?: (reason: LeftOutReason) => void;
  /**
   * The caller checks in another way that a missing name is free, as a write does that expects it: a store saves the request
   * that only shows that nothing follows.
   */
  readonly mayMiss?: boolean;
  /** Counts what the listing found, and ends it: a driver tells it each folder and each request for names. */
  readonly meter?: ListingCount;
  /**
   * `list` only: called with the version of each entry that is present by a store whose listing of names shows it anyway. It is
   * that of a `read` at some time during the call.
   */
  readonly onVersion?: ((address: Address, version: Version) => void) | undefined;
  /** Label selector in Kubernetes syntax; drivers without labels throw `CAPABILITY_MISSING`. */
  readonly labelSelector?: string;
}

/** What a driver tells of a listing. Each method throws `SELECTION_TOO_LARGE` when a limit is exceeded. */
export interface ListingCount {
  /** A folder below the folder of the query, without a trailing slash. */
  folder(folder: Address): void;
  /** A request for names. */
  page(): void;
  /** The driver has this number of names that it did not yield yet. */
  ahead(entries: number): void;
}

export interface Entry {
  readonly address: Address;
  /** Type of the Kubernetes Secret, if the store has types. */
  readonly type?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * What a listing met at one address and could not list. The address ends in a slash if it is a folder: the names below it
 * are unknown, which is not the same as absent.
 */
export interface ListingProblem {
  /** To be shown, not to be read: `escapedName` in errors/printable.ts escapes what is not safe to print. */
  readonly address: Address;
  /** A name that no document can have, or the failure of the request. */
  readonly problem: Refusal | OperatorError;
}

/** What a listing yields: a name, or why there is none. */
export type Listed = Entry | ListingProblem;

/** What is known of a document without reading it. `present`, `deleted` and `absent` mean what they mean in a ReadResult. */
export type VersionState =
  | { readonly state: 'present' | 'deleted'; readonly version: Version }
  /** A name without a version: a path of KV with metadata only, or a document that was removed during the listing. */
  | { readonly state: 'absent' }
  /** Only a read can tell: the store has no versions, or its credentials may not see them, or it changes just now. */
  | { readonly state: 'unknown' };

/** What a listing of versions yields: the state of a document, or why it cannot be listed. */
export type ListedVersion = ({ readonly address: Address } & VersionState) | ListingProblem;
