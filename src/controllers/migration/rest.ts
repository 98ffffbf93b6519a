import type { Journal } from '#src/core/journal.ts';
import type { Rest } from '#src/io/map-concurrently.ts';
import type { Attempt } from './attempt.ts';

/** A migration that waits for less than this does not store its rows for that alone. */
const STORE_AFTER_MS = 1_000;

/**
 * Between two documents: while others have the worker, the run stands still with what it has found, and then goes on there.
 * Its rows are stored meanwhile. Undefined for a follow, which stores its rows itself and ends when another migration waits.
 */
export function restOf(
  { context, parts, stop, task }: Attempt,
  journal: Pick<Journal, 'flush'>,
): Rest | undefined {
  const { turn } = context;
  if (turn === undefined || task.kind === 'follow') return undefined;
  const take = async (): Promise<void> => {
    let stored: Promise<void> | undefined;
    const cancel = parts.clock.schedule(STORE_AFTER_MS, () => {
      stored = journal.flush();
      stored.catch(() => undefined); // Thrown where it is awaited.
    });
    try {
      await turn.again(stop.signal);
    } finally {
      cancel();
      await stored;
    }
  };
  return { isDue: () => turn.isOver, take };
}
