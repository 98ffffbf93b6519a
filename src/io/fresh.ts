import type { Clock } from '#src/ports.ts';
import { orAborted } from './abort.ts';

/** An answer, and how long it counts as fresh. Monotonic milliseconds. */
interface Answer<T> {
  readonly value: T;
  readonly askedAt: number;
  readonly tookMs: number;
}

/** Which answers will do. */
export interface Freshness {
  readonly maxAgeMs: number;
  readonly since: number;
  readonly signal: AbortSignal;
}

/** Answers that are older are forgotten. */
const FORGET_MS = 60_000;

/**
 * Answers of a server that many ask for at once: each is asked for once, and is valid for some time. An answer that took long is
 * valid for as long again, so that a slow server is not asked all the time.
 */
export class Fresh<T> {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #answers = new Map<string, Answer<T>>();
  readonly #asking = new Map<string, Promise<Answer<T> | undefined>>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /**
   * An answer that was asked for at `since` (monotonic milliseconds) or later, and is not too old. Throws what `ask` throws. A
   * failure is that of one caller: others who wait ask again.
   */
  async get(
    key: string,
    { maxAgeMs, since, signal }: Freshness,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      const known = this.#answers.get(key);
      if (known !== undefined && known.askedAt >= since && this.#isFresh(known, maxAgeMs)) return known.value;
      const others = this.#asking.get(key);
      if (others === undefined) return (await this.#ask(key, signal, ask)).value;
      // It can be older than it may be, or end with the work of who asked.
      await orAborted(others, signal);
    }
  }

  async #ask(key: string, signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<Answer<T>> {
    const asking = Promise.withResolvers<Answer<T> | undefined>();
    this.#asking.set(key, asking.promise);
    this.#forgetOld();
    const askedAt = this.#clock.monotonic();
    let answer: Answer<T> | undefined;
    try {
      const value = await ask(signal);
      answer = { value, askedAt, tookMs: this.#clock.monotonic() - askedAt };
      this.#answers.set(key, answer);
      return answer;
    } finally {
      this.#asking.delete(key);
      asking.resolve(answer);
    }
  }

  #isFresh({ askedAt, tookMs }: Answer<T>, maxAgeMs: number): boolean {
    return this.#clock.monotonic() - askedAt <= Math.max(maxAgeMs, 2 * tookMs);
  }

  #forgetOld(): void {
    for (const [key, answer] of this.#answers)
      if (!this.#isFresh(answer, FORGET_MS)) this.#answers.delete(key);
  }
}
