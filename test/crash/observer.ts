import { eventually } from '#test/support/eventually.ts';

/** Values by the names that violations use. */
export type Values = ReadonlyMap<string, Buffer>;

/** Somewhere a value can be. */
export interface Place {
  /** The names of those values that can be read here now. */
  find(values: Values): Promise<ReadonlySet<string>>;
  /** Changes when something here changes that is not a request; absent where everything is. */
  token?(): string;
}

/** So often a value that was not found is looked for again, before it waits for the next round. */
const ATTEMPTS = 5;

/**
 * Looks at all places from the side, past every proxy, for as long as a test runs, and notes each value that is in none
 * of them. Values may travel any way between the places, also back and forth.
 *
 * A look takes time, so one look does not show that a value is lost: after place A was read and before B is read, a value
 * can move from B to A, and each read finds nothing. This is the snapshot problem of concurrent programming, and the
 * answer is its double collect. A value counts as lost if two looks in a row miss it, one through the places in order and
 * one in reverse (A, B, B, A), and nothing changed from the start of the first look to the end of the second. Then both
 * saw one and the same state, and the value was not in it.
 *
 * Whether something changed is known from `changes`: all operators send their changes through the proxies, which count
 * them, and files have the times of their folders. While operators are busy, something always changes. So a value that is
 * missing stays a suspect, and is looked for in each round until it is found or the stores are still. Nothing is missed by
 * that: no one brings a lost value back. An operator that held the last copy in its memory would be found when it is killed.
 */
export class Observer {
  /** Every value that was found nowhere. Must stay empty. */
  readonly violations: string[] = [];
  /** How many times all values were accounted for: each was found, or is a violation. */
  rounds = 0;
  readonly #values: Values;
  readonly #places: readonly Place[];
  readonly #changes: () => string | undefined;

  /** `changes`: equal before and after when nothing changed in between; undefined while a change is under way. */
  constructor(values: Values, places: readonly Place[], changes: () => string | undefined) {
    this.#values = values;
    this.#places = places;
    this.#changes = changes;
  }

  /** Goes round and round until it is disposed of. */
  start(): AsyncDisposable {
    const stop = new AbortController();
    const watched = this.#watch(stop.signal);
    return {
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await watched;
      },
    };
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#round();
  }

  /** Resolves when all values have been accounted for after the call, at least once. */
  async freshRound(): Promise<void> {
    const before = this.rounds;
    await eventually('the observer has gone round', () => this.rounds >= before + 2);
  }

  async #round(): Promise<void> {
    let suspects = await lookFor(this.#values, this.#places);
    for (let attempt = 0; suspects.size > 0 && attempt < ATTEMPTS; attempt += 1) {
      const before = this.#token();
      const missed = await lookFor(suspects, this.#places);
      suspects = await lookFor(missed, this.#places.toReversed());
      if (suspects.size === 0 || before === undefined || this.#token() !== before) continue;
      for (const name of suspects.keys()) this.violations.push(`${name} is nowhere`);
      break;
    }
    const isAccounted = suspects.size === 0 || this.violations.length > 0;
    if (isAccounted) this.rounds += 1;
  }

  #token(): string | undefined {
    const changes = this.#changes();
    return changes && [changes, ...this.#places.map((place) => place.token?.() ?? '')].join(' ');
  }
}

/** The values that are in none of the places, which are read one after the other. */
export async function lookFor(values: Values, places: readonly Place[]): Promise<Values> {
  let missing = values;
  for (const place of places) {
    if (missing.size === 0) return missing;
    const found = await place.find(missing);
    missing = new Map([...missing].filter(([name]) => !found.has(name)));
  }
  return missing;
}
