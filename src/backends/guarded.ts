import type { Address, Document, Expectation, ReadResult, Version } from '#src/core/document.ts';
import { errorOf, isAbort, OperatorError } from '#src/errors.ts';
import { Deadline } from '#src/io/deadline.ts';
import { backoffMs, type BackoffShape } from '#src/io/retry-delay.ts';
import type { Clock, Metrics, Random } from '#src/ports.ts';
import type {
  Driver,
  BackupStore,
  DriverTraits,
  Entry,
  ListQuery,
  Need,
  Location,
  Probe,
  ProjectionStore,
  ReadOutcome,
  Refusal,
} from './driver.ts';

export interface GuardOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** For one call, its retries not included; a call may be several requests. */
  readonly deadlineMs: number;
}

type Operation =
  | 'probe'
  | 'list'
  | 'read'
  | 'readMany'
  | 'denied'
  | 'write'
  | 'delete'
  | 'retire'
  | 'discard'
  | 'mark'
  | 'finish';

/** Those that change something: without a reply nobody knows whether they did. */
const CHANGES: ReadonlySet<Operation> = new Set(['write', 'delete', 'retire', 'discard', 'mark', 'finish']);

const READ_ATTEMPTS = 3;
const BACKOFF: BackoffShape = { baseMs: 200, capMs: 5_000, jitter: 0.5 };
/** A server that asks for more than this is left to the caller's own schedule. */
const MAX_DELAY_MS = 5_000;

/**
 * Any driver with a deadline on each call, metrics, and retries of what only reads. Writes and deletes are never
 * repeated here: after a lost reply only a read can tell what happened.
 */
export class GuardedDriver implements Driver {
  readonly kind: string;
  readonly traits: DriverTraits;
  readonly backups: BackupStore | undefined;
  readonly projections: ProjectionStore | undefined;
  readonly #driver: Driver;
  readonly #options: GuardOptions;

  constructor(driver: Driver, options: GuardOptions) {
    this.#driver = driver;
    this.#options = options;
    this.kind = driver.kind;
    this.traits = driver.traits;
    this.backups = driver.backups && this.#guardedBackups(driver.backups);
    this.projections = driver.projections && this.#guardedProjections(driver.projections);
  }

  #guardedProjections(projections: ProjectionStore): ProjectionStore {
    return {
      mark: async (address, expect, origin, signal) =>
        this.#once('mark', signal, async (inner) => projections.mark(address, expect, origin, inner)),
    };
  }

  #guardedBackups(backups: BackupStore): BackupStore {
    return {
      addressOf: (address) => backups.addressOf(address),
      has: async (address, signal) =>
        this.#retried('read', signal, async (inner) => backups.has(address, inner)),
      retire: async (address, expect, signal) =>
        this.#once('retire', signal, async (inner) => backups.retire(address, expect, inner)),
      discard: async (backup, signal) =>
        this.#once('discard', signal, async (inner) => backups.discard(backup, inner)),
    };
  }

  probe(signal: AbortSignal): Promise<Probe> {
    return this.#retried('probe', signal, (inner) => this.#driver.probe(inner));
  }

  list(query: ListQuery, signal: AbortSignal): AsyncIterable<Entry> {
    return this.#iterated('list', this.#driver.list(query, signal), signal);
  }

  read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    return this.#retried('read', signal, (inner) => this.#driver.read(address, inner, revision));
  }

  /** An address that failed in passing gets the retries of a single read before its error is yielded. */
  async *readMany(addresses: readonly Address[], signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    for await (const outcome of this.#iterated(
      'readMany',
      this.#driver.readMany(addresses, signal),
      signal,
    )) {
      if ('error' in outcome && errorOf(outcome.error).disposition === 'transient') {
        yield await this.#readAgain(outcome.address, signal);
      } else {
        yield outcome;
      }
    }
  }

  async #readAgain(address: Address, signal: AbortSignal): Promise<ReadOutcome> {
    try {
      return { address, result: await this.read(address, signal) };
    } catch (error) {
      signal.throwIfAborted();
      return { address, error };
    }
  }

  refusalOf(document: Document): Refusal | undefined {
    return this.#driver.refusalOf(document);
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return this.#driver.addressRefusalOf(address);
  }

  locationOf(address: Address): Location {
    return this.#driver.locationOf(address);
  }

  denied(needs: readonly Need[], signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    return this.#retried('denied', signal, (inner) => this.#driver.denied(needs, inner));
  }

  write(document: Document, expect: Expectation, signal: AbortSignal): Promise<Version> {
    return this.#once('write', signal, (inner) => this.#driver.write(document, expect, inner));
  }

  delete(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    return this.#once('delete', signal, (inner) => this.#driver.delete(address, expect, inner));
  }

  async finish(address: Address, expect: Version, signal: AbortSignal): Promise<void> {
    await this.#once('finish', signal, async (inner) => this.#driver.finish?.(address, expect, inner));
  }

  async #retried<T>(
    operation: Operation,
    signal: AbortSignal,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(operation, signal, call);
      } catch (thrown) {
        const error = errorOf(thrown);
        if (isAbort(thrown, signal) || error.disposition !== 'transient' || attempt >= READ_ATTEMPTS)
          throw thrown;
        const { retryAfterMs } = error;
        const delayMs = backoffMs(BACKOFF, attempt, { random: this.#options.random, retryAfterMs });
        if (delayMs > MAX_DELAY_MS) throw thrown;
        await this.#options.clock.sleep(delayMs, signal);
      }
    }
  }

  async #once<T>(
    operation: Operation,
    signal: AbortSignal,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    using deadline = new Deadline(this.#options.clock, this.#options.deadlineMs, signal);
    const started = this.#options.clock.monotonic();
    try {
      const result = await call(deadline.signal);
      this.#measure(operation, 'ok', started);
      return result;
    } catch (thrown) {
      const failure = deadline.expired ? deadlineError(operation) : thrown;
      this.#measure(operation, codeOf(failure, signal), started);
      throw failure;
    }
  }

  /** The whole iteration counts as one call; its requests have the driver's own deadlines. */
  async *#iterated<T>(operation: Operation, items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
    const started = this.#options.clock.monotonic();
    try {
      yield* items;
      this.#measure(operation, 'ok', started);
    } catch (thrown) {
      this.#measure(operation, codeOf(thrown, signal), started);
      throw thrown;
    }
  }

  #measure(operation: Operation, code: string, started: number): void {
    const { metrics, clock } = this.#options;
    const labels = { backend: this.kind, operation };
    metrics.count('secretmigration_backend_requests_total', { ...labels, code });
    metrics.observe(
      'secretmigration_backend_request_duration_seconds',
      labels,
      (clock.monotonic() - started) / 1000,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver[Symbol.asyncDispose]();
  }
}

function deadlineError(operation: Operation): OperatorError {
  return new OperatorError('DEADLINE', { op: `backend.${operation}`, indeterminate: CHANGES.has(operation) });
}

/** Label of the outcome: an error code, or `aborted` when the caller gave up. */
function codeOf(thrown: unknown, signal: AbortSignal): string {
  return isAbort(thrown, signal) ? 'aborted' : errorOf(thrown).code;
}
