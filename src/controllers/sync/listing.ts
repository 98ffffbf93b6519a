import type { ListedVersion, ListingProblem } from '#src/backends/listing.ts';
import { isProblem } from '#src/backends/listing-problem.ts';
import type { Address } from '#src/core/document.ts';
import { escapedName } from '#src/errors/printable.ts';

/** What a listing of versions yielded, by what it is. */
export function sorted(versions: Iterable<ListedVersion>): {
  readonly found: readonly Exclude<ListedVersion, ListingProblem>[];
  readonly problems: readonly ListingProblem[];
} {
  const found: Exclude<ListedVersion, ListingProblem>[] = [];
  const problems: ListingProblem[] = [];
  for (const each of versions) {
    if (isProblem(each)) problems.push(each);
    else found.push(each);
  }
  return { found, problems };
}

/** Whether an address is one of these, or in one of these folders: what is there is unknown. */
export function hiddenBy(problems: readonly ListingProblem[]): (address: Address) => boolean {
  return (address) => {
    // Problems have addresses that are safe to print.
    const shown = escapedName(address);
    return problems.some(({ address: at }) => (at.endsWith('/') ? shown.startsWith(at) : shown === at));
  };
}
