import type { Address } from '#src/core/document.ts';
import { rangeOf, type Range } from '#src/core/ranges.ts';
import type { Driver } from '../driver.ts';
import type { Entry, Listed, ListQuery } from '../listing.ts';
import { isProblem } from '../listing-problem.ts';
import { layered, type LayeredDriver } from '../layer.ts';

/**
 * The driver with the names of one range in its listings; every address can be read. All ranges together list each name once, and the
 * first one counts what the layers below leave out.
 *
 * The problem of a folder has a name too, so one range shows it. The names below it are unknown in all of them: of those that
 * earlier runs recorded (`recorded`), the others yield what is theirs, so that it is read by name.
 */
export function ranged(driver: Driver, range: Range, recorded: () => Iterable<Address>): LayeredDriver {
  return layered(driver, {
    overrides: (base) => ({
      list: (query, signal) => namesIn(range, recorded, query, (passed) => base.list(passed, signal)),
    }),
  });
}

async function* namesIn(
  { index, count }: Range,
  recorded: () => Iterable<Address>,
  query: ListQuery,
  list: (query: ListQuery) => AsyncIterable<Listed>,
): AsyncGenerator<Listed> {
  const isOurs = ({ address }: { readonly address: Address }): boolean => rangeOf(address, count) === index;
  const { leftOut: _leftOut, ...uncounted } = query;
  for await (const listed of list(index === 0 ? query : uncounted)) {
    if (isOurs(listed)) yield listed;
    else if (isProblem(listed)) yield* [...recordedBelow(listed, recorded)].filter(isOurs);
  }
}

/** Nothing below the problem of a name. */
function* recordedBelow(
  { address: folder }: { readonly address: Address },
  recorded: () => Iterable<Address>,
): Generator<Entry> {
  if (!folder.endsWith('/')) return;
  for (const address of recorded()) if (address.startsWith(folder)) yield { address };
}
