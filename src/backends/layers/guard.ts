import { logFieldsOf, shownCode } from '#src/errors/explain.ts';
import { errorOf, isAbort, OperatorError, type ErrorCode } from '#src/errors.ts';
import { Deadline } from '#src/io/deadline.ts';
import { backoffMs, type BackoffShape } from '#src/io/retry-delay.ts';
import { NO_TRACES } from '#src/io/no-traces.ts';
import type { Clock, Logger, Metrics, OpenSpan, Random, Tracer } from '#src/ports.ts';
import type { Driver, ReadOutcome } from '../driver.ts';
import { layered, OPERATIONS, type Call, type LayeredDriver, type Operation } from '../layer.ts';

export interface GuardOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Gets the cause when a server gives no usable answer, which no status tells. */
  readonly logger?: Logger;
  /** Gets a span for each operation of a store without requests, such as a directory; others have spans of their requests. */
  readonly tracer?: Tracer;
  /** Deadline in milliseconds for one call, without its retries; default 90 s. A call can be several requests. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 90_000;
/** A server that needs longer to say what it can do is not of use now, and its probe holds a worker. */
const PROBE_DEADLINE_MS = 10_000;
const READ_ATTEMPTS = 3;
/** A server that is away fails every call: the same cause is logged once in this time. */
const LOG_AGAIN_MS = 60_000;
const BACKOFF: BackoffShape = { baseMs: 200, capMs: 5_000, jitter: 0.5 };
/** If a server asks for a longer delay, the call fails and the caller schedules the next try. */
const MAX_DELAY_MS = 5_000;

interface Begun {
  /** Monotonic milliseconds. */
  readonly started: number;
  readonly span: OpenSpan | undefined;
}

type Next<T> = (signal: AbortSignal) => Promise<T>;

/**
 * A driver with a deadline and metrics for each call, and retries for reads. It never repeats a change: after a lost
 * reply, only a read can tell what happened. Nor does it repeat a probe, or what the server did not answer in time: a
 * silent server would hold its caller for several deadlines. It owns the driver below and closes it when disposed of.
 */
export function guard(driver: Driver, options: GuardOptions): LayeredDriver {
  const calls = new GuardedCalls(driver, options);
  return layered(driver, {
    around: async (call, next) =>
      isRepeatable(call.operation) ? calls.retried(call, next) : calls.once(call, next),
    iterate: (call, next) => calls.iterated(call, next()),
    overrides: (base) => ({
      // An address with a temporary failure gets the retries of a single read before its error is yielded.
      async *readMany(addresses, signal, scope) {
        for await (const outcome of base.readMany(addresses, signal, scope)) {
          const isTemporary = 'error' in outcome && isTemporaryFailure(errorOf(outcome.error));
          yield isTemporary ? await readAgain(base, outcome.address, signal) : outcome;
        }
      },
      [Symbol.asyncDispose]: async () => driver[Symbol.asyncDispose](),
    }),
  });
}

async function readAgain(driver: Driver, address: string, signal: AbortSignal): Promise<ReadOutcome> {
  try {
    return { address, result: await driver.read(address, signal) };
  } catch (error) {
    signal.throwIfAborted();
    return { address, error };
  }
}

/**
 * The codes whose first appearance a rate must see: what a server refuses or fails at. With all codes, the series that are
 * always 0 would be most of a scrape.
 */
const FROM_ZERO: readonly (ErrorCode | 'ok')[] = [
  'ok',
  'AUTH_DENIED',
  'BACKEND_UNREACHABLE',
  'DEADLINE',
  'RATE_LIMITED',
  'SERVER_ERROR',
];

class GuardedCalls {
  readonly #driver: Pick<Driver, 'kind' | 'traits'>;
  readonly #options: GuardOptions;
  #logged = { cause: '', at: 0 };

  constructor(driver: Pick<Driver, 'kind' | 'traits'>, options: GuardOptions) {
    this.#driver = driver;
    this.#options = options;
    for (const operation of Object.keys(OPERATIONS)) {
      for (const code of FROM_ZERO) this.#count(operation, code, 0);
    }
  }

  async retried<T>(call: Call, next: Next<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.once(call, next);
      } catch (thrown) {
        const error = errorOf(thrown);
        if (isAbort(thrown, call.signal) || !isTemporaryFailure(error) || attempt >= READ_ATTEMPTS)
          throw thrown;
        const { retryAfterMs } = error;
        const delayMs = backoffMs(BACKOFF, attempt, { random: this.#options.random, retryAfterMs });
        if (delayMs > MAX_DELAY_MS) throw thrown;
        await this.#options.clock.sleep(delayMs, call.signal);
      }
    }
  }

  async once<T>({ operation, signal }: Call, next: Next<T>): Promise<T> {
    signal.throwIfAborted();
    const { clock, deadlineMs = DEADLINE_MS } = this.#options;
    const limitMs = operation === 'probe' ? Math.min(PROBE_DEADLINE_MS, deadlineMs) : deadlineMs;
    using deadline = new Deadline(clock, limitMs, signal);
    const begun = this.#begin(operation);
    try {
      const result = await next(deadline.signal);
      this.#measure(operation, 'ok', begun);
      return result;
    } catch (thrown) {
      const failure = deadline.expired ? this.#overdue(operation) : thrown;
      this.#failed(operation, failure, { signal, begun });
      throw failure;
    }
  }

  /** The whole iteration counts as one call; the driver sets the deadlines of its requests. */
  async *iterated<T>({ operation, signal }: Call, items: AsyncIterable<T>): AsyncGenerator<T> {
    const begun = this.#begin(operation);
    try {
      yield* items;
      this.#measure(operation, 'ok', begun);
    } catch (thrown) {
      this.#failed(operation, thrown, { signal, begun });
      throw thrown;
    }
  }

  #failed(
    operation: Operation,
    failure: unknown,
    { signal, begun }: { readonly signal: AbortSignal; readonly begun: Begun },
  ): void {
    if (isAbort(failure, signal)) {
      this.#measure(operation, 'aborted', begun);
      return;
    }
    const error = errorOf(failure);
    this.#measure(operation, shownCode(error), begun);
    if (error.unansweredAt !== undefined) this.#logCause(operation, error);
  }

  #logCause(operation: Operation, error: OperatorError): void {
    const now = this.#options.clock.monotonic();
    const cause = `${error.code} ${error.message}`;
    if (cause === this.#logged.cause && now - this.#logged.at < LOG_AGAIN_MS) return;
    this.#logged = { cause, at: now };
    this.#options.logger?.warn('a server gave no usable answer', { operation, ...logFieldsOf(error) });
  }

  #overdue(operation: Operation): OperatorError {
    const indeterminate = OPERATIONS[operation].changes;
    const { origin } = this.#driver.traits;
    return new OperatorError('DEADLINE', { op: `backend.${operation}`, indeterminate, unansweredAt: origin });
  }

  #begin(operation: Operation): Begun {
    const { clock, tracer = NO_TRACES } = this.#options;
    const { kind, traits } = this.#driver;
    const start = () => ({
      name: `${kind} ${operation}`,
      attributes: { 'keyferry.operation': `${kind}.${operation}` },
    });
    return {
      started: clock.monotonic(),
      span: traits.isLocal === true ? tracer.begin(start) : undefined,
    };
  }

  #measure(operation: Operation, code: string, { started, span }: Begun): void {
    const { metrics, clock } = this.#options;
    const labels = { backend: this.#driver.kind, operation };
    this.#count(operation, code, 1);
    span?.end(code === 'ok' ? {} : { error: code });
    metrics.observe(
      'secretmigration_backend_request_duration_seconds',
      labels,
      (clock.monotonic() - started) / 1000,
    );
  }

  #count(operation: string, code: string, by: number): void {
    const labels = { backend: this.#driver.kind, operation, code };
    this.#options.metrics.count('secretmigration_backend_requests_total', labels, by);
  }
}

function isRepeatable(operation: Operation): boolean {
  return operation !== 'probe' && !OPERATIONS[operation].changes;
}

function isTemporaryFailure({ code, disposition }: OperatorError): boolean {
  return disposition === 'transient' && code !== 'DEADLINE';
}
