import type { Address } from '#src/core/document.ts';
import { errorOf, isAbort, isBackendWide } from '#src/errors.ts';
import { escapedName } from '#src/errors/printable.ts';
import type { Refusal } from './refusal.ts';
import type { Entry, Listed, ListedVersion, ListingProblem } from './listing.ts';

export function isProblem(listed: Listed | ListedVersion): listed is ListingProblem {
  return 'problem' in listed;
}

/** The entry, or the problem that no document can have its address. */
export function listedAs(entry: Entry, refusalOf: (address: Address) => Refusal | undefined): Listed {
  const problem = refusalOf(entry.address);
  return problem === undefined ? entry : { address: escapedName(entry.address), problem };
}

/**
 * The failure as a problem of this address. Throws it if it is about the whole backend or an abort: what else would be
 * listed would fail too. A server that asks to slow down counts as a whole: going on would add load.
 */
export function problemAt(address: Address, failure: unknown, signal: AbortSignal): ListingProblem {
  if (signal.aborted || endsListing(failure, signal)) throw failure;
  return { address: escapedName(address), problem: errorOf(failure) };
}

/** True for a failure after which nothing else of this backend can be listed or read either. */
export function endsListing(failure: unknown, signal: AbortSignal): boolean {
  const { code, disposition } = errorOf(failure);
  if (isAbort(failure, signal) || isBackendWide(failure)) return true;
  return code === 'RATE_LIMITED' || code === 'SELECTION_TOO_LARGE' || disposition === 'bug';
}
