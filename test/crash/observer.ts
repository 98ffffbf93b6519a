import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { FIELD, readStored, type Documents } from './documents.ts';

/** Destinations that were already seen are seen again, so many in each round. */
const SEEN_AGAIN = 20;
const READS_AT_ONCE = 16;

/**
 * Looks at both stores from the side, past every proxy, for as long as a test runs, and notes each value that is in
 * neither. A source is looked at before its destination: values travel that way only, so one that moves meanwhile is
 * seen at least once.
 */
export class Observer {
  /** Every value that was found nowhere, or with other bytes. Must stay empty. */
  readonly violations: string[] = [];
  /** How many times all documents were accounted for. */
  rounds = 0;
  /** How many documents were seen only at the destination, most recently. */
  moved = 0;
  readonly #tenant: Tenant;
  readonly #documents: Documents;
  readonly #seen: string[] = [];
  #next = 0;

  constructor(tenant: Tenant, documents: Documents) {
    this.#tenant = tenant;
    this.#documents = documents;
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

  /** Resolves when all documents have been accounted for after the call, at least once. */
  async freshRound(): Promise<void> {
    const before = this.rounds;
    await eventually('the observer has gone round', () => this.rounds >= before + 2);
  }

  async #round(): Promise<void> {
    const sources = new Map(
      (await this.#tenant.secrets()).map(({ metadata, data }) => [metadata.name, data?.[FIELD]]),
    );
    const gone: string[] = [];
    for (const [name, value] of this.#documents) {
      const source = sources.get(name);
      if (!sources.has(name)) gone.push(name);
      else if (source !== value.toString('base64')) this.violations.push(`${name} changed at the source`);
    }
    await this.#lookAtDestinations(gone);
    this.moved = gone.length;
    this.rounds += 1;
  }

  async #lookAtDestinations(gone: readonly string[]): Promise<void> {
    const known = new Set(this.#seen);
    const fresh = gone.filter((name) => !known.has(name));
    const names = [...fresh, ...this.#someSeen()];
    for (let from = 0; from < names.length; from += READS_AT_ONCE) {
      await Promise.all(names.slice(from, from + READS_AT_ONCE).map(async (name) => this.#lookAt(name)));
    }
    this.#seen.push(...fresh);
  }

  async #lookAt(name: string): Promise<void> {
    const stored = await readStored(this.#tenant, name);
    const wanted = this.#documents.get(name);
    if (stored?.value === undefined) this.violations.push(`${name} is nowhere`);
    else if (wanted?.equals(stored.value) !== true) this.violations.push(`${name} is other bytes`);
  }

  #someSeen(): readonly string[] {
    const count = Math.min(SEEN_AGAIN, this.#seen.length);
    const chosen = Array.from(
      { length: count },
      (_, index) => this.#seen[(this.#next + index) % this.#seen.length],
    );
    this.#next += count;
    return chosen.filter((name) => name !== undefined);
  }
}
