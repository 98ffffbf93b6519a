import { getHeapStatistics } from 'node:v8';
import { OperatorError } from '#src/errors.ts';
import { onAbort } from './abort.ts';
import { Deadline } from './deadline.ts';

const MIB = 1024 * 1024;
/** Of the heap limit, for the bytes of replies that are read and parsed: parsed, they can take some times as much. */
const PART_OF_HEAP = 8;
const MOST_BYTES = 64 * MIB;
const LEAST_BYTES = 32 * MIB;

/**
 * Bytes that all replies of a kind of server may take at once: 64 MiB, or an eighth of a heap limit below the 512 MiB of
 * src/launch.sh.
 */
export function bytesForReplies(): number {
  const part = Math.floor(getHeapStatistics().heap_size_limit / PART_OF_HEAP);
  return Math.max(LEAST_BYTES, Math.min(MOST_BYTES, part));
}

export interface ByteBudgetOptions {
  /** Bytes that are reserved at once, at most. */
  readonly total: number;
  /** Bytes of them that one holder has at once, at most. At least as many as any single reservation. */
  readonly perHolder: number;
}

interface Waiter {
  readonly bytes: number;
  readonly grant: (reservation: Disposable) => void;
}

/**
 * A semaphore in bytes. Holders that wait get their turns alternately, each within its own part: one that keeps all it may
 * have, or that asks a thousand times, does not hold up another. Nothing overtakes a holder whose turn it is, so that a
 * large reservation is not starved by small ones.
 */
export class ByteBudget {
  readonly #options: ByteBudgetOptions;
  #reserved = 0;
  readonly #reservedBy = new Map<string, number>();
  /** By holder; the one whose turn it is comes first. */
  readonly #waiting = new Map<string, Set<Waiter>>();

  constructor(options: ByteBudgetOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the bytes are reserved; dispose of the result to give them back. All deadlines that the signal follows
   * stand still meanwhile. Rejects with the reason of the signal, and with `INVARIANT` if no holder can ever have so many.
   */
  async reserve(bytes: number, holder: string, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (bytes > this.#options.perHolder) throw new OperatorError('INVARIANT', { op: 'bytes.reserve' });
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
    const waiter = { bytes, grant: resolve };
    const waiters = this.#waiting.get(holder) ?? new Set();
    this.#waiting.set(holder, waiters.add(waiter));
    using _paused = Deadline.pause(signal);
    using _following = onAbort(signal, () => {
      this.#remove(holder, waiter);
      reject(signal.reason);
      this.#serve();
    });
    this.#serve();
    return await promise;
  }

  #serve(): void {
    for (const [holder, waiters] of this.#waiting) {
      const [waiter] = waiters;
      if (waiter === undefined || !this.#isWithinPart(holder, waiter.bytes)) continue;
      if (this.#reserved + waiter.bytes > this.#options.total) return;
      this.#remove(holder, waiter);
      const rest = this.#waiting.get(holder);
      this.#waiting.delete(holder);
      // The holder with its other waiters goes to the end, where this loop meets it again.
      if (rest !== undefined) this.#waiting.set(holder, rest);
      waiter.grant(this.#take(holder, waiter.bytes));
    }
  }

  #isWithinPart(holder: string, bytes: number): boolean {
    return (this.#reservedBy.get(holder) ?? 0) + bytes <= this.#options.perHolder;
  }

  #take(holder: string, bytes: number): Disposable {
    this.#change(holder, bytes);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#change(holder, -bytes);
        this.#serve();
      },
    };
  }

  #change(holder: string, bytes: number): void {
    this.#reserved += bytes;
    const held = (this.#reservedBy.get(holder) ?? 0) + bytes;
    if (held === 0) this.#reservedBy.delete(holder);
    else this.#reservedBy.set(holder, held);
  }

  #remove(holder: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(holder);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiting.delete(holder);
  }
}
