import { Deadline } from '#src/io/deadline.ts';
import type { Clock } from '#src/ports.ts';
import type { Driver, Listed, ListQuery } from '../driver.ts';
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
      list: (query, signal) => listBounded(base, { query, clock, limits }, signal),
      [Symbol.asyncDispose]: async () => driver[Symbol.asyncDispose](),
    }),
  });
}

async function* listBounded(
  base: LayeredDriver,
  { query, clock, limits }: { query: ListQuery; clock: Clock; limits: ListingLimits },
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  const meter = new ListingMeter(limits, query.folder);
  // A request that waits for its turn at the server stops the time of every deadline above it.
  using deadline = new Deadline(clock, limits.ms, signal, { op: 'backend.list' });
  try {
    for await (const listed of base.list({ ...query, meter }, deadline.signal)) {
      meter.entry(listed);
      yield listed;
    }
  } catch (failure) {
    throw deadline.expired ? meter.tookTooLong() : failure;
  }
}
