import { OperatorError } from '#src/errors.ts';
import type { Mandate } from '#src/ports.ts';
import type { Leadership } from './leadership.ts';

/**
 * The mandate of a process that holds several Leases: every one of its terms lasts, and it has at least one. A process that lost one
 * of them without giving it away was away for too long, and changes nothing any more. So a change needs no word about the
 * slice that it is for: work on a slice begins after its term was added, and has ended before it is deleted.
 */
export class Terms implements Mandate {
  readonly #target: string;
  readonly #terms = new Set<Leadership>();
  readonly #ended = new AbortController();
  readonly #lost = Promise.withResolvers<never>();

  /** `target`: the Lease, for errors. */
  constructor(target: string) {
    this.#target = target;
    this.#lost.promise.catch(() => undefined); // It may be lost before or after anybody waits for it.
  }

  /** Aborts when the mandate has ended permanently. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Rejects with `LEASE_LOST` when a term is lost that was not deleted; never settles before. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  /** A term that lasts from now on, until it is deleted or lost. */
  add(term: Leadership): void {
    this.#terms.add(term);
    term.over.catch((lost: unknown) => {
      if (this.#terms.has(term)) this.#lost.reject(lost);
    });
  }

  /** A term whose work has ended: it may end now. */
  delete(term: Leadership): void {
    this.#terms.delete(term);
  }

  /** Ends the mandate permanently. */
  end(): void {
    this.#ended.abort();
  }

  assertHeld(): void {
    if (this.#ended.signal.aborted) throw this.#notHeld('Its term is over.');
    if (this.#terms.size === 0) throw this.#notHeld('It does not lead yet.');
    for (const term of this.#terms) term.assertHeld();
  }

  #notHeld(detail: string): OperatorError {
    return new OperatorError('LEASE_LOST', { op: 'lease.hold', target: this.#target, detail });
  }
}
