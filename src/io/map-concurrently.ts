/**
 * Runs `task` for every item, at most `width` at once, and yields the results as they come. Pulls the next item only when
 * a slot is free. The first rejection ends the iteration; tasks that are still running are awaited (their results are
 * dropped), so nothing outlives the iterator.
 */
export async function* mapConcurrently<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  width: number,
  task: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const iterator = iteratorOf(items);
  const pending = new Map<number, Promise<{ readonly ticket: number; readonly result: R }>>();
  let next: Promise<IteratorResult<T>> | undefined;
  let ticket = 0;
  let exhausted = false;
  const start = (item: T): void => {
    const mine = ticket++;
    pending.set(
      mine,
      task(item).then((result) => ({ ticket: mine, result })),
    );
  };
  try {
    while (!exhausted || pending.size > 0) {
      if (!exhausted && pending.size < width) next ??= iterator.next();
      const first = await Promise.race([...(next === undefined ? [] : [next]), ...pending.values()]);
      if ('ticket' in first) {
        pending.delete(first.ticket);
        yield first.result;
        continue;
      }
      next = undefined;
      if (first.done === true) exhausted = true;
      else start(first.value);
    }
  } finally {
    await Promise.allSettled([next, ...pending.values()]);
    await iterator.return?.();
  }
}

function iteratorOf<T>(items: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> {
  if (Symbol.asyncIterator in items) return items[Symbol.asyncIterator]();
  const iterator = items[Symbol.iterator]();
  return {
    next: async () => Promise.resolve(iterator.next()),
    return: async () => Promise.resolve(iterator.return?.() ?? { done: true, value: undefined }),
  };
}
