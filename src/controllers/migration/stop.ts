import { DEADLINES_MS } from '#src/engine/deadlines.ts';
import { errorOf, OperatorError } from '#src/errors.ts';
import { onAbort } from '#src/io/abort.ts';
import { EitherSignal } from '#src/io/deadline.ts';
import type { Clock } from '#src/ports.ts';
import type { BackendLease } from '../backend/pool.ts';

/**
 * Ends one attempt before its work is done. From the stop on, what still happens needs less and less of others:
 *
 *   signal     aborts at once: nothing begins, and whatever only reads, lists or waits ends
 *   settling   aborts a few seconds later: a change that was sent is completed and read back, so that its row is true
 *   finishing  aborts a minute after `finish`: rows and status are stored
 *
 * All three abort with the signal of the reconcile: shutdown, a lost lease, the end of its time.
 */
export class Stop implements Disposable {
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #settling = new AbortController();
  readonly #finishing = new AbortController();
  readonly #work: EitherSignal;
  readonly #following: Disposable[] = [];
  #because: OperatorError | undefined;
  #cancelTimers: (() => void)[] = [];

  constructor(clock: Clock, reconcile: AbortSignal) {
    this.#clock = clock;
    this.#work = new EitherSignal(this.#settling.signal, this.#stopping.signal);
    this.#following.push(
      onAbort(reconcile, () => {
        for (const each of [this.#settling, this.#finishing]) each.abort(reconcile.reason);
      }),
    );
  }

  get signal(): AbortSignal {
    return this.#work.signal;
  }

  get settling(): AbortSignal {
    return this.#settling.signal;
  }

  get finishing(): AbortSignal {
    return this.#finishing.signal;
  }

  /** Why the attempt was stopped; undefined while it was not. The end of the reconcile is no stop. */
  get because(): OperatorError | undefined {
    return this.#because;
  }

  /** The first call counts. */
  stop(reason: OperatorError): void {
    if (this.#because !== undefined || this.#settling.signal.aborted) return;
    this.#because = reason;
    this.#stopping.abort(reason);
    this.#after(DEADLINES_MS.settle, () => this.#settling.abort(reason));
  }

  /** Without time to complete what was sent: the right to it was taken away. */
  stopNow(reason: OperatorError): void {
    this.stop(reason);
    this.#settling.abort(this.#because);
  }

  /** Stops with a backend that is out of service for this attempt. */
  follow({ retired, revoked }: Pick<BackendLease, 'retired' | 'revoked'>): void {
    this.#following.push(onAbort(revoked, () => this.stopNow(errorOf(revoked.reason))));
    this.followEnd(retired);
  }

  /** Stops with whatever the signal tells. */
  followEnd(end: AbortSignal): void {
    this.#following.push(onAbort(end, () => this.stop(errorOf(end.reason))));
  }

  /** The work is over: what is left is to store what became of it. */
  finish(): void {
    const about = { op: 'migration.finish' };
    this.#after(DEADLINES_MS.finish, () => this.#finishing.abort(new OperatorError('DEADLINE', about)));
  }

  #after(ms: number, run: () => void): void {
    this.#cancelTimers.push(this.#clock.schedule(ms, run));
  }

  [Symbol.dispose](): void {
    for (const cancel of this.#cancelTimers) cancel();
    for (const following of this.#following) following[Symbol.dispose]();
    this.#work[Symbol.dispose]();
  }
}
