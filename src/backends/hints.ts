import type { Address } from '#src/core/document.ts';

/*
 * What a caller knows of documents already, so that a store needs fewer requests or smaller replies. Nothing of it changes what an
 * operation does.
 */

/** `unlisted`: a listing of names, since the last probe, did not show this one, so the store had nothing of it then. */
export type WriteHint = 'unlisted';

/** What is known of documents that are read together. Nothing of it changes what is read, only with which requests. */
export interface ReadScope {
  /** As in a ListQuery: a listing with it showed these documents. */
  readonly labelSelector?: string;
  /** None of them has one of these types. */
  readonly withoutTypes?: readonly string[];
  /** How many documents a listing showed that the two members above do not leave out. Absent: not known. */
  readonly listed?: number;
  /** Some of those that are not read, by name. */
  readonly others?: readonly Address[];
  /** Keyferry created them, or most of them. */
  readonly areOurs?: true;
}
