import { orAborted } from '#src/io/abort.ts';
import type { Clock } from '#src/ports.ts';

/** setTimeout fires immediately above this: its delay is a signed 32-bit number. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The real clock, and the only place in src that sets a timer. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep,
  schedule,
};

function schedule(ms: number, run: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (remainingMs: number): void => {
    const stepMs = Math.min(Math.max(0, remainingMs), MAX_TIMER_MS);
    // oxlint-disable-next-line no-restricted-globals -- this is the Clock that all other code uses
    timer = setTimeout(() => (stepMs < remainingMs ? arm(remainingMs - stepMs) : run()), stepMs);
  };
  arm(ms);
  return () => clearTimeout(timer);
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const elapsed = Promise.withResolvers<void>();
  const cancel = schedule(ms, elapsed.resolve);
  try {
    await orAborted(elapsed.promise, signal);
  } finally {
    cancel();
  }
}
