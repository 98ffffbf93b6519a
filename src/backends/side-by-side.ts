/**
 * Runs `task` for every item, at most `width` at once, and yields the results as they come. The first rejection ends the
 * iteration; tasks still under way are awaited (their outcome is dropped), so nothing outlives the iterator.
 */
export async function* sideBySide<T, R>(
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
