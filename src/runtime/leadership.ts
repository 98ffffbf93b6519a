import { OperatorError } from '#src/errors.ts';
import type { Clock, Mandate } from '#src/ports.ts';

export interface LeadershipOptions {
  readonly clock: Clock;
  /** It ends this time after the last renewal; default 10 s. */
  readonly renewDeadlineMs?: number;
  /** The lease, for errors. */
  readonly target?: string;
}

/** For a process that competes with no other one. */
export const ALWAYS_HELD: Mandate = { assertHeld: () => undefined };

/**
 * One term of this process as the leader. It lasts as long as renewals come within the deadline, on the monotonic clock,
 * which also counts while the process is stopped (SIGSTOP): the first caller after that finds it over, before any timer
 * has fired. A term that is over does not come back, because another replica may have led since.
 */
export class Leadership implements Mandate {
  readonly renewDeadlineMs: number;
  readonly #clock: Clock;
  readonly #target: string | undefined;
  readonly #over = Promise.withResolvers<never>();
  #state: 'standby' | 'leading' | 'over' = 'standby';
  #renewedAt = 0;

  constructor({ clock, renewDeadlineMs = 10_000, target }: LeadershipOptions) {
    this.renewDeadlineMs = renewDeadlineMs;
    this.#clock = clock;
    this.#target = target;
    this.#over.promise.catch(() => undefined); // It may be over before or after anybody waits for it.
  }

  /** As far as it is known; `assertHeld` knows it. */
  get isLeading(): boolean {
    return this.#state === 'leading';
  }

  /** Milliseconds since the last renewal. */
  get silentMs(): number {
    return this.#clock.monotonic() - this.#renewedAt;
  }

  /** Milliseconds until the term is over without another renewal. */
  get remainingMs(): number {
    return Math.max(0, this.renewDeadlineMs - this.silentMs);
  }

  /** Rejects with `LEASE_LOST` when the term is over, whichever caller noticed that; never settles before. */
  get over(): Promise<never> {
    return this.#over.promise;
  }

  /** `at`: monotonic milliseconds just before the request that acquired or renewed the lease. */
  renew(at: number): void {
    if (this.#state === 'leading') this.assertHeld();
    this.#renewedAt = at;
  }

  begin(): void {
    if (this.#state === 'standby') this.#state = 'leading';
  }

  /** Ends it permanently. Returns the `LEASE_LOST` that says so. */
  end(detail: string): OperatorError {
    const lost = this.#lost(detail);
    this.#state = 'over';
    this.#over.reject(lost);
    return lost;
  }

  assertHeld(): void {
    if (this.#state !== 'leading')
      throw this.#lost(this.#state === 'over' ? 'Its term is over.' : 'It does not lead yet.');
    if (this.silentMs >= this.renewDeadlineMs) throw this.end('The lease was not renewed in time.');
  }

  #lost(detail: string): OperatorError {
    const target = this.#target === undefined ? {} : { target: this.#target };
    return new OperatorError('LEASE_LOST', { op: 'lease.hold', ...target, detail });
  }
}
