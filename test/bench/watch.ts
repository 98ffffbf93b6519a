import { createInterface } from 'node:readline';
import type { Condition } from '#src/schema/meta.ts';
import { MIGRATIONS_PATH, type BareClient } from './bare.ts';

/** After this time a step has failed: a few hundred keys a second are slow on any machine. */
const DEADLINE_MS = 120_000;
const DEADLINE_MS_A_KEY = 10;

/** A SecretMigration, as far as a bench looks at it. */
export interface Seen {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly summary?: Readonly<Record<string, number>>;
    readonly lastHandledReconcileAt?: string;
  };
}

function conditionOf({ status }: Seen, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** True of the current generation, for whatever reason. */
function isTrue(condition: Condition | undefined, { metadata }: Seen): condition is Condition {
  return condition?.observedGeneration === metadata.generation && condition.status === 'True';
}

/** Ready of the current generation, with this reason. */
export function isReady(seen: Seen, reason = 'Completed'): boolean {
  const ready = conditionOf(seen, 'Ready');
  return isTrue(ready, seen) && ready.reason === reason;
}

function isStalled(seen: Seen): boolean {
  return isTrue(conditionOf(seen, 'Stalled'), seen);
}

/** What it says of itself: the reason and the message of Ready. */
function saying(seen: Seen): string {
  const { metadata, status } = seen;
  const ready = conditionOf(seen, 'Ready');
  const counts = JSON.stringify(status?.summary ?? {});
  return `${metadata.namespace}/${metadata.name}: ${ready?.reason ?? 'no Ready'} ${counts} ${ready?.message ?? ''}`;
}

interface Waiter {
  readonly check: () => boolean;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/**
 * All SecretMigrations of the cluster by one watch. To ask for each again and again would take the time of the servers that are
 * measured.
 */
export class MigrationWatch implements AsyncDisposable {
  readonly #seen = new Map<string, Seen>();
  readonly #waiters = new Set<Waiter>();
  readonly #stop = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  static async open(api: BareClient): Promise<MigrationWatch> {
    const watch = new MigrationWatch();
    const { body, statusCode } = await api.stream(
      'GET',
      `${MIGRATIONS_PATH}?watch=true&timeoutSeconds=7200`,
      {
        signal: watch.#stop.signal,
      },
    );
    if (statusCode !== 200) throw new Error(`the watch of the migrations was refused: ${statusCode}`);
    watch.#ended = watch.#follow(createInterface({ input: body }));
    return watch;
  }

  /**
   * Resolves when the migrations, as they were seen last, pass the check. Rejects when one of them is stalled, and at the
   * deadline for so many keys.
   */
  async until(keys: number, check: (all: ReadonlyMap<string, Seen>) => boolean): Promise<void> {
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { check: () => check(this.#seen), resolve, reject };
    const deadlineMs = DEADLINE_MS + DEADLINE_MS_A_KEY * keys;
    const late = setTimeout(() => reject(this.#tooLate(keys, deadlineMs)), deadlineMs);
    this.#waiters.add(waiter);
    this.#ask(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(late);
      this.#waiters.delete(waiter);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #follow(lines: AsyncIterable<string>): Promise<void> {
    try {
      for await (const line of lines) this.#take(line);
    } catch {
      // Aborted, or the server ended it: the waiters hear of it below.
    }
    this.#failure = new Error('the watch of the migrations ended');
    for (const { reject } of this.#waiters) reject(this.#failure);
  }

  #take(line: string): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API server says so.
    const { object } = JSON.parse(line) as { readonly object: Seen };
    this.#seen.set(`${object.metadata.namespace}/${object.metadata.name}`, object);
    for (const waiter of this.#waiters) this.#ask(waiter);
  }

  #ask({ check, reject, resolve }: Waiter): void {
    if (check()) return resolve();
    const failure = this.#failure ?? this.#stalledFailure();
    if (failure !== undefined) reject(failure);
  }

  #stalledFailure(): Error | undefined {
    const stalled = [...this.#seen.values()].find(isStalled);
    return stalled && new Error(`a migration is stalled. ${saying(stalled)}`);
  }

  #tooLate(keys: number, deadlineMs: number): Error {
    const last = [...this.#seen.values()].slice(-3).map(saying).join('; ');
    return new Error(`${keys} keys were not done after ${deadlineMs / 1000} s. Last: ${last}`);
  }
}
