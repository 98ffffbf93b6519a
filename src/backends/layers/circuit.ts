import type { Address } from '#src/core/document.ts';
import { errorOf } from '#src/errors.ts';
import { EitherSignal } from '#src/io/deadline.ts';
import type { Circuit } from '../circuit.ts';
import type { Driver, ReadOutcome } from '../driver.ts';
import { layered, OPERATIONS, type Call, type LayeredDriver } from '../layer.ts';

/** Changes whose result is not read yet are remembered, up to this many. */
const MAX_SENT = 10_000;

/**
 * A driver that sends nothing while the circuit of its backend is open, and tells the circuit of its failures. What reads is
 * ended when the circuit opens; a change that was sent is not, and one read of its document passes, which tells what became
 * of it. `probes`: whose probe this is, that of the whole backend or that of one namespace, which says nothing about the
 * others. It owns the driver below and closes it when disposed of.
 */
export function withCircuit(
  driver: Driver,
  { circuit, probes }: { readonly circuit: Circuit; readonly probes: 'backend' | 'namespace' },
): LayeredDriver {
  const gated = new Gated(circuit);
  return layered(driver, {
    around: async (call, next) => gated.call(call, next),
    overrides: (base) => ({
      probe: probes === 'backend' ? async (signal) => circuit.probe(signal) : base.probe,
      list: (query, signal) => gated.items(signal, (inner) => driver.list(query, inner)),
      versions: (query, signal) => gated.items(signal, (inner) => driver.versions(query, inner)),
      readMany: (addresses, signal, scope) =>
        gated.items(signal, (inner) => driver.readMany(addresses, inner, scope), failureIn),
      [Symbol.asyncDispose]: async () => driver[Symbol.asyncDispose](),
    }),
  });
}

function failureIn(outcome: ReadOutcome): unknown {
  return 'error' in outcome ? outcome.error : undefined;
}

/** The server works, although it refuses this request. */
function isAnswer(failure: unknown): boolean {
  return errorOf(failure).disposition !== 'transient';
}

class Gated {
  readonly #circuit: Circuit;
  /** Documents with a change that was sent and may have been applied, while the backend is in doubt. */
  readonly #sent = new Set<Address>();

  constructor(circuit: Circuit) {
    this.#circuit = circuit;
  }

  async call<T>(call: Call, next: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { addresses, operation, signal } = call;
    const [address = ''] = addresses;
    if (operation === 'probe') return next(signal);
    if (operation === 'read' && this.#sent.delete(address)) return next(signal);
    if (!OPERATIONS[operation].changes) return this.#reading(signal, next);
    const done = await this.#circuit.enter(signal);
    try {
      const result = await next(signal);
      done(true);
      if (!this.#circuit.isClosed) this.#remember(address);
      return result;
    } catch (failure) {
      done(isAnswer(failure));
      if (errorOf(failure).indeterminate) this.#remember(address);
      this.#circuit.failed(failure, signal);
      throw failure;
    }
  }

  /** Waits for its first item as a request does; what comes later is not counted, because its reader sends requests, too. */
  async *items<T>(
    signal: AbortSignal,
    itemsIn: (signal: AbortSignal) => AsyncIterable<T>,
    problemOf: (item: T) => unknown = () => undefined,
  ): AsyncGenerator<T> {
    const { opened } = this.#circuit;
    using either = new EitherSignal(signal, opened);
    const items = itemsIn(either.signal)[Symbol.asyncIterator]();
    try {
      for (
        let item = await this.#reading(signal, async () => items.next());
        item.done !== true;
        item = await this.#following(signal, opened, async () => items.next())
      ) {
        const problem = problemOf(item.value);
        if (problem !== undefined) this.#circuit.failed(problem, signal);
        yield item.value;
      }
    } finally {
      await items.return?.();
    }
  }

  async #reading<T>(signal: AbortSignal, next: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const done = await this.#circuit.enter(signal);
    const { opened } = this.#circuit;
    using either = new EitherSignal(signal, opened);
    try {
      const result = await this.#following(signal, opened, async () => next(either.signal));
      done(true);
      return result;
    } catch (failure) {
      done(isAnswer(failure));
      throw failure;
    }
  }

  /** Tells the circuit of a failure, unless the circuit ended the request itself. */
  async #following<T>(signal: AbortSignal, opened: AbortSignal, next: () => Promise<T>): Promise<T> {
    try {
      return await next();
    } catch (failure) {
      if (opened.aborted && !signal.aborted) throw errorOf(opened.reason);
      this.#circuit.failed(failure, signal);
      throw failure;
    }
  }

  #remember(address: Address): void {
    if (this.#sent.size < MAX_SENT) this.#sent.add(address);
  }
}
