/**
 * Feeds `items` to `work` with at most `limit` in flight, in order, pulling the next item only when a slot is free, so
 * that a slow destination holds back the reading of the source. Stops pulling when `stop` says so. Resolves when all
 * started work ended; rejects with the first failure of `items` or `work`, after what was in flight ended.
 */
export async function forEachConcurrently<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  work: (item: Item) => Promise<void>,
  options: { readonly limit: number; readonly stop: () => boolean },
): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of items) {
      if (options.stop() || failures.length > 0) break;
      const task = work(item).catch((failure: unknown) => {
        failures.push(failure);
      });
      inFlight.add(task);
      void task.finally(() => inFlight.delete(task));
      while (inFlight.size >= options.limit) await Promise.race(inFlight);
    }
  } finally {
    await Promise.all(inFlight);
  }
  if (failures.length > 0) throw failures[0];
}
