import { Deadline } from '#src/io/deadline.ts';
import type { Clock } from '#src/ports.ts';
import type { Driver } from '../driver.ts';
import type { Listed, ListedVersion, ListQuery } from '../listing.ts';
import { layered, type LayeredDriver } from '../layer.ts';
import { LISTING_LIMITS, ListingMeter, type ListingLimits } from '../listing-meter.ts';

/**
 * A driver whose listings end: with `SELECTION_TOO_LARGE`, at the limits of entries, folders, pages, characters and time.
 * It owns the driver below and closes it when disposed of.
 */
export function bounded(
  driver: Driver,
  { clock, limits = LISTING_LIMITS }: { readonly clock: Clock; readonly limits?: ListingLimits },
): LayeredDriver {
  return layered(driver, {
    overrides: (base) => ({
      list: (query, signal) =>
        boundedItems({ query, clock, limits, signal }, (metered, inner) => base.list(metered, inner)),
      versions: (query, signal) =>
        boundedItems({ query, clock, limits, signal }, (metered, inner) => base.versions(metered, inner)),
      [Symbol.asyncDispose]: async () => driver[Symbol.asyncDispose](),
    }),
  });
}

interface Bounds {
  readonly query: ListQuery;
  readonly clock: Clock;
  readonly limits: ListingLimits;
  readonly signal: AbortSignal;
}

async function* boundedItems<T extends Listed | ListedVersion>(
  { query, clock, limits, signal }: Bounds,
  itemsOf: (metered: ListQuery, signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const meter = new ListingMeter(limits, query.folder);
  // A request that waits for its turn at the server stops the time of every deadline above it.
  using deadline = new Deadline(clock, limits.ms, signal, { op: 'backend.list' });
  try {
    for await (const listed of itemsOf({ ...query, meter }, deadline.signal)) {
      meter.entry(listed);
      yield listed;
    }
  } catch (failure) {
    throw deadline.expired ? meter.tookTooLong() : failure;
  }
}
