import { ERROR_CODES } from '#src/errors/codes.ts';
import { shownCode } from '#src/errors/explain.ts';
import { errorOf, isAbort, isBackendWide, OperatorError, type ErrorCode } from '#src/errors.ts';
import { orAborted } from '#src/io/abort.ts';
import { Deadline } from '#src/io/deadline.ts';
import type { Clock } from '#src/ports.ts';
import type { Probe } from './driver.ts';
import { SlowStart } from './slow-start.ts';

/*
 * The trouble of a backend is one event, not one of each document:
 *
 *   closed ──a failure that can concern the whole backend──▶ in doubt: one probe, however many failures; what begins waits
 *     ▲                                                         │ for it, except after a failure that can be of one document
 *     ├───────────────────── it succeeded ──────────────────────┤
 *     │                                                         ▼ it failed
 *     └── a probe succeeded: requests begin slowly ──────────  open: nothing is sent but probes, what reads is ended
 */

export interface CircuitOptions {
  readonly clock: Clock;
  /** Of the backend, for messages. */
  readonly title: string;
  /** Asks the server; throws why the backend cannot be used. */
  readonly ask: (signal: AbortSignal) => Promise<Probe>;
  /** True while a quota slows requests down, probes too: a late answer is not an outage. */
  readonly isSlowedDown: () => boolean;
  /** Told when a failure starts a probe, and when a probe fails first, so that the status of the backend follows. */
  readonly onDoubt: () => void;
}

/** Longest probe, waits for the quota of the server included. */
const PROBE_LIMIT_MS = 20_000;
/** After a probe that succeeded, a failure that can be of one document starts no other one for this long. */
const SUSPECTED_AGAIN_MS = 30_000;
/** The same after the failure of a connection. */
const DOUBTED_AGAIN_MS = 1_000;

/** A document can have these failures alone, and each document if the whole backend has a problem. */
const SUSPECT: ReadonlySet<ErrorCode> = new Set([
  'AUTH_DENIED',
  'DEADLINE',
  'RATE_LIMITED',
  'REPLY_INVALID',
  'SERVER_ERROR',
]);

/** Not ready is what a request is told that was never sent. */
function isTrouble(code: ErrorCode, thrown: unknown): boolean {
  return code !== 'BACKEND_NOT_READY' && isBackendWide(thrown);
}

/** Whether a backend works, as probes found; all requests through it ask here first. */
export class Circuit implements Disposable {
  readonly #options: CircuitOptions;
  readonly #start = new SlowStart();
  readonly #ending = new AbortController();
  #opened = new AbortController();
  /** Why it is open. */
  #cause: OperatorError | undefined;
  #asking: Promise<Probe> | undefined;
  /** Settles with the probe that requests wait for; never rejects. */
  #verdict: Promise<void> | undefined;
  #answeredAt = Number.NEGATIVE_INFINITY;
  /** The owner knows of the doubt that the probe under way decides. */
  #isTold = false;

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  /** Aborts when the circuit opens, with the error of `refusal`. */
  get opened(): AbortSignal {
    return this.#opened.signal;
  }

  get isClosed(): boolean {
    return this.#cause === undefined && this.#verdict === undefined;
  }

  /**
   * Asks the server, once for all that ask at the same time. What it says counts for every request from then on. Throws why
   * the backend cannot be used.
   */
  async probe(signal: AbortSignal): Promise<Probe> {
    this.#asking ??= this.#ask();
    return orAborted(this.#asking, signal);
  }

  /**
   * Resolves when a request may begin; the result must be told how it ended. Deadlines stand still meanwhile. Throws
   * `BACKEND_NOT_READY` while the circuit is open, and the reason of the signal.
   */
  async enter(signal: AbortSignal): Promise<(succeeded: boolean) => void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#cause !== undefined) throw this.#refusal(this.#cause);
      const wait = this.#verdict ?? this.#start.wait;
      if (wait === undefined) return this.#start.take();
      using _paused = Deadline.pause(signal);
      await orAborted(wait, signal);
    }
  }

  /** Throws `BACKEND_NOT_READY` while the circuit is open. */
  requireNotOpen(): void {
    if (this.#cause !== undefined) throw this.#refusal(this.#cause);
  }

  /** A request failed: asks the server, if this can concern more than the request. */
  failed(thrown: unknown, signal: AbortSignal): void {
    if (this.#cause !== undefined || isAbort(thrown, signal) || this.#ending.signal.aborted) return;
    const { code } = errorOf(thrown);
    const isSuspect = SUSPECT.has(code);
    if (!isSuspect && !isTrouble(code, thrown)) return;
    const sinceMs = this.#options.clock.monotonic() - this.#answeredAt;
    if (sinceMs < (isSuspect ? SUSPECTED_AGAIN_MS : DOUBTED_AGAIN_MS)) return;
    const probing = this.probe(this.#ending.signal).then(
      () => undefined,
      () => undefined,
    );
    if (!isSuspect) this.#verdict ??= probing;
    this.#tellOnce();
  }

  /** Once for each probe. */
  #tellOnce(): void {
    if (!this.#isTold) this.#options.onDoubt();
    this.#isTold = true;
  }

  async #ask(): Promise<Probe> {
    const { clock, title, ask } = this.#options;
    const about = { op: 'backend.probe', target: title };
    using limit = Deadline.unpausable(clock, PROBE_LIMIT_MS, this.#ending.signal, about);
    try {
      const probe = await ask(limit.signal);
      this.#close();
      return probe;
    } catch (failure) {
      const isLate = limit.expired && this.#options.isSlowedDown();
      if (!isLate && !isAbort(failure, this.#ending.signal)) this.#open(errorOf(failure));
      throw failure;
    } finally {
      this.#asking = undefined;
      this.#isTold = false;
      this.#verdict = undefined;
    }
  }

  #close(): void {
    this.#answeredAt = this.#options.clock.monotonic();
    if (this.#cause === undefined) return;
    this.#cause = undefined;
    this.#opened = new AbortController();
    this.#start.begin();
  }

  #open(cause: OperatorError): void {
    const wasOpen = this.#cause !== undefined;
    this.#cause = cause;
    if (!wasOpen) {
      this.#opened.abort(this.#refusal(cause));
      // The probe of a run finds it out too, and tells nobody else.
      this.#tellOnce();
    }
    this.#start.wake();
  }

  /** Tells what the reason means and no more: a tenant reads it, and the cause can name what is the administrator's. */
  #refusal(cause: OperatorError): OperatorError {
    const { conditionReason, summary } = ERROR_CODES[shownCode(cause)];
    return new OperatorError('BACKEND_NOT_READY', {
      op: 'backend.circuit',
      target: this.#options.title,
      detail: `${conditionReason}: ${summary}`,
    });
  }

  /** Ends a probe that is under way. */
  [Symbol.dispose](): void {
    this.#ending.abort(new OperatorError('RUN_STOPPED', { op: 'backend.circuit' }));
  }
}
