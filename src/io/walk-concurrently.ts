import type { Width } from './map-concurrently.ts';

/** What one task found, and the items that are to be walked because of it. */
export interface Step<T, R> {
  readonly result: R;
  readonly more: readonly T[];
}

/**
 * Runs `task` for the first item and for every item that a task adds, at most `width` at once, and yields the results as they
 * arrive. The newest item goes first, so that few wait in a deep tree. The first rejection ends the walk; running tasks are
 * awaited (their results are dropped), so nothing outlives the iterator.
 */
export async function* walkConcurrently<T, R>(
  first: T,
  width: Width,
  task: (item: T) => Promise<Step<T, R>>,
): AsyncGenerator<R, void, undefined> {
  const waiting = [first];
  const running = new Map<number, Promise<Step<T, R> & { readonly ticket: number }>>();
  let started = 0;
  const start = (): void => {
    const most = Math.max(1, typeof width === 'number' ? width : width());
    while (running.size < most) {
      const item = waiting.pop();
      if (item === undefined) return;
      const ticket = started++;
      running.set(
        ticket,
        task(item).then((step) => ({ ...step, ticket })),
      );
    }
  };
  try {
    for (start(); running.size > 0; start()) {
      const { more, result, ticket } = await Promise.race(running.values());
      running.delete(ticket);
      for (const item of more) waiting.push(item);
      yield result;
    }
  } finally {
    await Promise.allSettled(running.values());
  }
}
