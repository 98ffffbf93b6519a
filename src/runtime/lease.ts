import type { KubeClient } from '#src/kube/client.ts';
import { apiVersionOf, collectionPath, objectPath } from '#src/kube/resource.ts';
import { errorOf, hasCode, OperatorError } from '#src/errors.ts';
import { onAbort } from '#src/io/abort.ts';
import type { Clock, Logger, Metrics, Random } from '#src/ports.ts';
import {
  heldBy,
  LEASES,
  parseLease,
  released,
  sameRecord,
  type LeaseRecord,
  type StoredLease,
} from './lease-record.ts';

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Pod name, `_` and a random string, so that a restarted pod has another identity. */
  readonly identity: string;
  /** Other replicas may take over after this time without a renewal; default 15 s. */
  readonly leaseDurationMs?: number;
  /** The leader stops leading after this time without a renewal; default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Pause between attempts; default 2 s. */
  readonly retryPeriodMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The work of the leader. Resolves when all of it has ended after `leading` aborted, or earlier if there is no more. */
export type Lead = (leading: AbortSignal) => Promise<void>;

interface Observation {
  readonly lease: StoredLease;
  /** Local monotonic time at which this record was first seen. */
  readonly at: number;
}

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
 * compared with our clock. This is not a fence: a paused leader can wake up and write. That is why writes carry versions.
 */
export class LeaderElector {
  readonly #options: LeaseOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #target: string;
  #observed: Observation | undefined;
  #leading = false;
  #renewedAt = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#target = `Lease ${options.namespace}/${options.name}`;
    if (
      this.#leaseDurationMs <= this.#renewDeadlineMs ||
      this.#renewDeadlineMs <= (1 + RETRY_JITTER) * this.#retryPeriodMs
    ) {
      const detail = 'The lease needs leaseDuration > renewDeadline > 1.2 retryPeriod.';
      throw new OperatorError('CONFIG_INVALID', { op: 'lease.options', detail });
    }
    this.#setLeading(false);
  }

  get isLeader(): boolean {
    return this.#leading;
  }

  /** For liveness: false when we still lead long after another replica may have taken over. */
  get isHealthy(): boolean {
    const silentMs = this.#options.clock.monotonic() - this.#renewedAt;
    return !this.#leading || silentMs <= this.#leaseDurationMs + UNHEALTHY_AFTER_MS;
  }

  /**
   * Acquires the lease, runs `lead` while we hold it, and releases it when `lead` has ended after `signal` aborted.
   * Throws `LEASE_LOST` if it could not be renewed: `leading` is aborted then, and the process must exit immediately.
   */
  async run(signal: AbortSignal, lead: Lead): Promise<void> {
    await this.#acquire(signal);
    if (!this.#leading) return;
    const { logger } = this.#options;
    logger.info('became the leader', { lease: this.#target });
    const leading = new AbortController();
    using _following = onAbort(signal, () => leading.abort(signal.reason));
    const workDone = new AbortController();
    const work = lead(leading.signal).finally(() => workDone.abort());
    try {
      // Renewals continue while the workers drain: no other replica may take over before their last write.
      await Promise.race([work, this.#renewUntil(workDone.signal)]);
      await work;
      await this.#release();
    } catch (thrown) {
      const lost = hasCode(thrown, 'LEASE_LOST');
      leading.abort(
        lost ? thrown : new OperatorError('LEASE_LOST', { op: 'lease.run', target: this.#target }),
      );
      work.catch(() => undefined); // The process exits with `thrown`.
      if (!lost) await this.#release();
      throw thrown;
    } finally {
      workDone.abort();
      this.#setLeading(false);
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        if (await this.#tryAcquireOrRenew(signal)) {
          this.#setLeading(true);
          return;
        }
      } catch (thrown) {
        if (signal.aborted) return;
        // A conflict is normal: another standby was faster.
        const report = hasCode(thrown, 'VERSION_CONFLICT') ? 'debug' : 'warn';
        logger[report]('lease was not acquired', { lease: this.#target, code: errorOf(thrown).code });
      }
      await clock.sleep(this.#pauseMs(), signal).catch(() => undefined); // Ends early only by the signal.
    }
  }

  /** Milliseconds until the next attempt of a standby: a period, but not beyond the expiry of a dead leader's lease. */
  #pauseMs(): number {
    const { clock, random } = this.#options;
    const periodMs = this.#retryPeriodMs * (1 + RETRY_JITTER * random());
    if (this.#observed === undefined) return periodMs;
    const { at, lease } = this.#observed;
    const expiresInMs = at + lease.record.leaseDurationSeconds * 1000 - clock.monotonic();
    return expiresInMs < 0 ? periodMs : Math.min(periodMs, expiresInMs + 1 + EXPIRY_SPREAD_MS * random());
  }

  /** Renews until `signal` aborts; throws `LEASE_LOST` once another replica holds the lease or the renewal is overdue. */
  async #renewUntil(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(this.#retryPeriodMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      await this.#renewOnce(signal);
    }
  }

  async #renewOnce(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    if (clock.monotonic() - this.#renewedAt >= this.#renewDeadlineMs)
      throw this.#lost('It was not renewed in time.');
    try {
      if (!(await this.#tryAcquireOrRenew(signal))) throw this.#lost('Another replica holds it.');
    } catch (thrown) {
      if (signal.aborted) return;
      if (hasCode(thrown, 'LEASE_LOST')) throw thrown;
      logger.warn('lease renewal failed, retrying', { lease: this.#target, code: errorOf(thrown).code });
    }
  }

  /** True when we hold the lease now, false when another replica does. Throws when that is unknown. */
  async #tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    if (await this.#renewUnread(signal)) return true;
    const current = await this.#read(signal);
    if (current === undefined) {
      await this.#create(signal);
      return true;
    }
    if (!this.#mayTake(current.record)) return false;
    await this.#write(current, signal);
    return true;
  }

  /** The fast path: a leader overwrites its last record without reading. False if that failed. */
  async #renewUnread(signal: AbortSignal): Promise<boolean> {
    const cached = this.#observed?.lease;
    if (!this.#leading || cached?.record.holderIdentity !== this.#options.identity) return false;
    try {
      await this.#write(cached, signal);
      return true;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return false; // A conflict, or no reply: a read shows who holds it.
    }
  }

  #mayTake(record: LeaseRecord): boolean {
    if (record.holderIdentity === '' || record.holderIdentity === this.#options.identity) return true;
    const observedAt = this.#observed?.at ?? this.#options.clock.monotonic();
    return this.#options.clock.monotonic() - observedAt > record.leaseDurationSeconds * 1000;
  }

  async #read(signal: AbortSignal): Promise<StoredLease | undefined> {
    try {
      const lease = parseLease(await this.#request('GET', undefined, signal), this.#target);
      this.#observe(lease, this.#options.clock.monotonic());
      return lease;
    } catch (thrown) {
      if (hasCode(thrown, 'NOT_FOUND')) return undefined;
      throw thrown;
    }
  }

  async #create(signal: AbortSignal): Promise<void> {
    const { name, namespace } = this.#options;
    await this.#hold(undefined, 'POST', signal, {
      apiVersion: apiVersionOf(LEASES),
      kind: LEASES.kind,
      metadata: { name, namespace },
    });
  }

  async #write(current: StoredLease, signal: AbortSignal): Promise<void> {
    await this.#hold(current.record, 'PUT', signal, current.raw);
  }

  async #hold(
    previous: LeaseRecord | undefined,
    method: 'POST' | 'PUT',
    signal: AbortSignal,
    raw: StoredLease['raw'],
  ): Promise<void> {
    const { clock, identity } = this.#options;
    // Measured before the request: the server starts counting between now and its reply.
    const startedAt = clock.monotonic();
    const spec = heldBy(identity, previous, { durationMs: this.#leaseDurationMs, now: clock.now() });
    const body = await this.#request(method, { ...raw, spec }, signal);
    this.#observe(parseLease(body, this.#target), startedAt);
    this.#renewedAt = startedAt;
  }

  #observe(lease: StoredLease, at: number): void {
    const known = this.#observed;
    const unchanged = known !== undefined && sameRecord(known.lease.record, lease.record);
    this.#observed = { lease, at: unchanged ? known.at : at };
  }

  /** GET, check that we hold it, PUT it as released. A failure is harmless: the lease then expires. */
  async #release(): Promise<void> {
    const { clock, identity, logger } = this.#options;
    const time = new AbortController();
    const cancel = clock.schedule(RELEASE_TIMEOUT_MS, () =>
      time.abort(new OperatorError('DEADLINE', { op: 'lease.release', target: this.#target })),
    );
    try {
      for (let attempt = 1; attempt <= RELEASE_ATTEMPTS; attempt += 1) {
        const current = await this.#read(time.signal);
        if (current?.record.holderIdentity !== identity) return;
        if (await this.#tryRelease(current, time.signal)) return;
      }
    } catch (thrown) {
      logger.warn('lease release failed', { lease: this.#target, code: errorOf(thrown).code });
    } finally {
      cancel();
    }
  }

  async #tryRelease(current: StoredLease, signal: AbortSignal): Promise<boolean> {
    const spec = released(current.record, this.#options.clock.now());
    try {
      await this.#request('PUT', { ...current.raw, spec }, signal);
      return true;
    } catch (thrown) {
      if (hasCode(thrown, 'VERSION_CONFLICT')) return false;
      throw thrown;
    }
  }

  async #request(method: 'GET' | 'POST' | 'PUT', body: unknown, signal: AbortSignal): Promise<unknown> {
    const { client, namespace, name } = this.#options;
    const op = ({ GET: 'lease.read', POST: 'lease.create', PUT: 'lease.update' } as const)[method];
    const path =
      method === 'POST' ? collectionPath(LEASES, namespace) : objectPath(LEASES, { namespace, name });
    const query = method === 'GET' ? {} : { fieldValidation: 'Strict' };
    const timeoutMs = this.#requestTimeoutMs();
    return await client.request({
      method,
      path,
      query,
      body,
      op,
      timeoutMs,
      target: this.#target,
      pool: 'lease',
      signal,
    });
  }

  /** Half the deadline, so that a request without a reply leaves time for another; for a leader never past the deadline. */
  #requestTimeoutMs(): number {
    const halfMs = this.#renewDeadlineMs / 2;
    if (!this.#leading) return halfMs;
    const leftMs = this.#renewedAt + this.#renewDeadlineMs - this.#options.clock.monotonic();
    return Math.max(1, Math.min(halfMs, leftMs));
  }

  #setLeading(leading: boolean): void {
    this.#leading = leading;
    const labels = { name: this.#options.name };
    this.#options.metrics.gauge('leader_election_master_status', labels, leading ? 1 : 0);
  }

  #lost(detail: string): OperatorError {
    return new OperatorError('LEASE_LOST', { op: 'lease.renew', target: this.#target, detail });
  }
}
