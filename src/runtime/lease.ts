import type { KubeClient } from '#src/kube/client.ts';
import { logFieldsOf, shortened } from '#src/errors/explain.ts';
import { errorOf, hasCode, OperatorError } from '#src/errors.ts';
import { onAbort } from '#src/io/abort.ts';
import type { Clock, Logger, Metrics, Random } from '#src/ports.ts';
import type { Leadership } from './leadership.ts';
import { LeaseClient, type RequestLimits } from './lease-client.ts';
import type { LeaseRecord, StoredLease } from './lease-record.ts';

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Pod name, `_` and a random string, so that a restarted pod has another identity. */
  readonly identity: string;
  /** The term that this elector begins, renews and ends; its deadline is when the leader stops leading. */
  readonly leadership: Leadership;
  /** Other replicas may take over after this time without a renewal; default 15 s. */
  readonly leaseDurationMs?: number;
  /** Pause between attempts; default 2 s. */
  readonly retryPeriodMs?: number;
  /** The same of a standby, asked before each pause; default `retryPeriodMs`. */
  readonly standbyPeriodMs?: () => number;
  /** Whether this replica takes the lease, which is free; asked after each look at it. Default: always. */
  readonly mayTake?: () => boolean;
  /** The requests of this candidate, with what an earlier term has seen. Default: new ones. */
  readonly lease?: LeaseClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The work of the leader. Resolves when all of it has ended after `leading` aborted, or earlier if there is no more. */
export type Lead = (leading: AbortSignal) => Promise<void>;

/** Bytes of the identity of a holder in the log: the name of a pod and a random string. */
const MAX_HOLDER = 320;
const RELEASE_TIMEOUT_MS = 5_000;
const RELEASE_ATTEMPTS = 3;
/** Jitter of the pause between attempts. client-go adds up to 120 %, with which a takeover may take 24 s. */
const RETRY_JITTER = 0.2;
const UNHEALTHY_AFTER_MS = 20_000;
/** Spreads the requests of several standbys after a lease expires. */
const EXPIRY_SPREAD_MS = 200;

/**
 * Leader election by a coordination.k8s.io Lease, with the algorithm of client-go's leaderelection:
 *
 *     standby ──free, or unchanged for its duration──► leader ──not renewed for renewDeadline──► LEASE_LOST, exit
 *                                                         └──signal: work ends, then release──► done
 *
 * Expiry is measured on the local monotonic clock from when a change was *observed*; the renewTime of another node is never
 * compared with our clock. The term (`Leadership`) is what every change asks immediately before it is sent. That is not a
 * fence: what was sent can arrive late. That is why writes carry versions.
 */
export class LeaderElector {
  readonly #options: LeaseOptions;
  readonly #lease: LeaseClient;
  readonly #term: Leadership;
  readonly #leaseDurationMs: number;
  readonly #retryPeriodMs: number;
  #notedHolder: string | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#term = options.leadership;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#lease = options.lease ?? new LeaseClient({ ...options, leaseDurationMs: this.#leaseDurationMs });
    const { renewDeadlineMs } = this.#term;
    if (
      this.#leaseDurationMs <= renewDeadlineMs ||
      renewDeadlineMs <= (1 + RETRY_JITTER) * this.#retryPeriodMs
    ) {
      const detail = 'The lease needs leaseDuration > renewDeadline > 1.2 retryPeriod.';
      throw new OperatorError('CONFIG_INVALID', { op: 'lease.options', detail });
    }
    this.#showLeading();
  }

  get isLeader(): boolean {
    return this.#term.isLeading;
  }

  /** For liveness: false when we still lead long after another replica may have taken over. */
  get isHealthy(): boolean {
    return !this.isLeader || this.#term.silentMs <= this.#leaseDurationMs + UNHEALTHY_AFTER_MS;
  }

  /**
   * Acquires the lease, runs `lead` while we hold it, and releases it when `lead` has ended after `signal` aborted.
   * Throws `LEASE_LOST` if it could not be renewed: `leading` is aborted then, and the process must exit immediately.
   */
  async run(signal: AbortSignal, lead: Lead): Promise<void> {
    await this.#acquire(signal);
    if (!this.isLeader) return;
    this.#options.logger.info('became the leader', { lease: this.#lease.target });
    const leading = new AbortController();
    using _following = onAbort(signal, () => leading.abort(signal.reason));
    const workDone = new AbortController();
    const work = lead(leading.signal).finally(() => workDone.abort());
    try {
      // Renewals continue while the workers drain: no other replica may take over before their last write.
      await Promise.race([work, this.#renewUntil(workDone.signal), this.#term.over]);
      await work;
      await this.#giveBack();
    } catch (thrown) {
      leading.abort(
        hasCode(thrown, 'LEASE_LOST') ? thrown : this.#term.end('The work of the leader failed.'),
      );
      work.catch(() => undefined); // The process exits with `thrown`.
      if (!hasCode(thrown, 'LEASE_LOST')) await this.#giveBack();
      throw thrown;
    } finally {
      workDone.abort();
      this.#term.end('The elector stopped.');
      this.#showLeading();
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        if (await this.#tryAcquireOrRenew(signal)) {
          this.#term.begin();
          this.#showLeading();
          return;
        }
        this.#noteHolder();
      } catch (thrown) {
        if (signal.aborted) return;
        // A conflict is normal: another standby was faster.
        const report = hasCode(thrown, 'VERSION_CONFLICT') ? 'debug' : 'warn';
        logger[report]('lease was not acquired', {
          lease: this.#lease.target,
          ...logFieldsOf(errorOf(thrown)),
        });
      }
      await clock.sleep(this.#pauseMs(), signal).catch(() => undefined); // Ends early only by the signal.
    }
  }

  /** Once for each holder: a standby that says nothing looks like an operator that hangs. */
  #noteHolder(): void {
    const { holder, target } = this.#lease;
    if (holder === undefined || holder === this.#notedHolder) return;
    this.#notedHolder = holder;
    const hint =
      'No action needed. If that replica is gone, this one takes over once the Lease was not renewed for its duration.';
    const about = { lease: target, holder: shortened(holder, MAX_HOLDER), hint };
    this.#options.logger.info('standing by: another replica holds the lease', about);
  }

  /** Milliseconds until the next attempt of a standby: a period, but not beyond the expiry of a dead leader's lease. */
  #pauseMs(): number {
    const { random, standbyPeriodMs = () => this.#retryPeriodMs } = this.#options;
    const periodMs = standbyPeriodMs() * (1 + RETRY_JITTER * random());
    const { expiresInMs = -1 } = this.#lease;
    return expiresInMs < 0 ? periodMs : Math.min(periodMs, expiresInMs + 1 + EXPIRY_SPREAD_MS * random());
  }

  /** Renews until `signal` aborts; throws `LEASE_LOST` once another replica holds the lease or the renewal is overdue. */
  async #renewUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pauseMs = Math.min(this.#retryPeriodMs, this.#term.remainingMs);
      await this.#options.clock.sleep(pauseMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      await this.#renewOnce(signal);
    }
  }

  async #renewOnce(signal: AbortSignal): Promise<void> {
    this.#term.assertHeld();
    try {
      if (!(await this.#tryAcquireOrRenew(signal))) throw this.#term.end('Another replica holds the lease.');
    } catch (thrown) {
      if (signal.aborted) return;
      if (hasCode(thrown, 'LEASE_LOST')) throw thrown;
      const failed = { lease: this.#lease.target, ...logFieldsOf(errorOf(thrown)) };
      this.#options.logger.warn('lease renewal failed, retrying', failed);
    }
  }

  /** True when we hold the lease now, false when another replica does. Throws when that is unknown. */
  async #tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    if (await this.#renewUnread(signal)) return true;
    const current = await this.#lease.read(this.#limits(signal));
    if (current !== undefined && !this.#mayHold(current.record)) return false;
    if (!this.isLeader && this.#options.mayTake?.() === false) return false;
    await this.#hold(current, signal);
    return true;
  }

  /** The fast path: a leader overwrites its last record without reading. False if that failed. */
  async #renewUnread(signal: AbortSignal): Promise<boolean> {
    const { ownLease } = this.#lease;
    if (!this.isLeader || ownLease === undefined) return false;
    try {
      await this.#hold(ownLease, signal);
      return true;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return false; // A conflict, or no reply: a read shows who holds it.
    }
  }

  /** A leader may hold only what is still its own: a lease that is free again was held by another replica since. */
  #mayHold(record: LeaseRecord): boolean {
    return this.isLeader ? record.holderIdentity === this.#options.identity : this.#lease.isFree(record);
  }

  async #hold(current: StoredLease | undefined, signal: AbortSignal): Promise<void> {
    this.#term.renew(await this.#lease.hold(current, this.#limits(signal)));
  }

  /**
   * Ends the term, so that nothing is changed after another replica may lead, then releases the lease. A failure of that is
   * harmless: the lease expires.
   */
  async #giveBack(): Promise<void> {
    this.#term.end('It gave the lease back.');
    const { clock, identity, logger } = this.#options;
    const { target } = this.#lease;
    const time = new AbortController();
    const cancel = clock.schedule(RELEASE_TIMEOUT_MS, () =>
      time.abort(new OperatorError('DEADLINE', { op: 'lease.release', target })),
    );
    const limits = { timeoutMs: RELEASE_TIMEOUT_MS, signal: time.signal };
    try {
      for (let attempt = 1; attempt <= RELEASE_ATTEMPTS; attempt += 1) {
        const current = await this.#lease.read(limits);
        if (current?.record.holderIdentity !== identity) return;
        if (await this.#lease.release(current, limits)) return;
      }
    } catch (thrown) {
      logger.warn('lease release failed', { lease: target, ...logFieldsOf(errorOf(thrown)) });
    } finally {
      cancel();
    }
  }

  /** Half the deadline, so that a request without a reply leaves time for another; for a leader never past the deadline. */
  #limits(signal: AbortSignal): RequestLimits {
    const halfMs = this.#term.renewDeadlineMs / 2;
    const timeoutMs = this.isLeader ? Math.max(1, Math.min(halfMs, this.#term.remainingMs)) : halfMs;
    return { timeoutMs, signal };
  }

  #showLeading(): void {
    const labels = { name: this.#options.name };
    this.#options.metrics.gauge('leader_election_master_status', labels, this.isLeader ? 1 : 0);
  }
}
