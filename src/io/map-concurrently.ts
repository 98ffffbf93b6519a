/**
 * Runs `task` for every item, at most `width` at once, and yields the results as they come. The first rejection ends the
 * iteration; tasks still under way are awaited (their outcome is dropped), so nothing outlives the iterator.
 */
export async function* mapConcurrently<T, R>(
  items: Iterable<T>,
  width: number,
  task: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const pending = new Map<number, Promise<{ readonly ticket: number; readonly result: R }>>();
  let next = 0;
  const start = (item: T): void => {
    const ticket = next++;
    pending.set(
      ticket,
      task(item).then((result) => ({ ticket, result })),
    );
  };
  const finishOne = async (): Promise<R> => {
    const { ticket, result } = await Promise.race(pending.values());
    pending.delete(ticket);
    return result;
  };
  try {
    for (const item of items) {
      if (pending.size >= width) yield await finishOne();
      start(item);
    }
    while (pending.size > 0) yield await finishOne();
  } finally {
    await Promise.allSettled(pending.values());
  }
}

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
