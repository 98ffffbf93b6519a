import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#src/ports.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** A clock that stops until `advance`. Wall clock and monotonic clock differ by `epochMs`. */
export class ManualClock implements Clock {
  readonly #epochMs: number;
  readonly #timers = new Set<Timer>();
  #monotonic = 0;
  #wallAheadMs = 0;

  constructor(epochMs = Date.UTC(2026, 0, 1)) {
    this.#epochMs = epochMs;
  }

  now(): number {
    return this.#epochMs + this.#monotonic + this.#wallAheadMs;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  schedule(ms: number, run: () => void): () => void {
    const timer = { at: this.#monotonic + Math.max(0, ms), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.schedule(ms, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = (): void => {
        cancel();
        reject(signal.reason);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Number of pending timers. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Advances the time: runs each due timer, in order, and lets promises settle before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (let next = this.#takeDue(end); next !== undefined; next = this.#takeDue(end)) {
      this.#monotonic = Math.max(this.#monotonic, next.at);
      next.run();
      await settle();
    }
    this.#monotonic = end;
    await settle();
  }

  /** Advances the time without running timers, as in a paused process. Overdue timers fire at the next `advance`. */
  jump(ms: number): void {
    this.#monotonic += ms;
  }

  /** Sets the wall clock alone, as a person or a daemon does. 0: it is right again. */
  setWallAhead(ms: number): void {
    this.#wallAheadMs = ms;
  }

  #takeDue(end: number): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (earliest === undefined || timer.at < earliest.at)) earliest = timer;
    }
    if (earliest !== undefined) this.#timers.delete(earliest);
    return earliest;
  }
}

/** Waits until all promises settle that need neither time nor I/O. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 5; round += 1) await setImmediate();
}
