import { hasCode } from '#src/errors.ts';
import type { KubeClient } from '#src/kube/client.ts';
import { apiVersionOf, collectionPath, objectPath } from '#src/kube/resource.ts';
import type { Clock } from '#src/ports.ts';
import {
  heldBy,
  LEASES,
  parseLease,
  released,
  sameRecord,
  type LeaseRecord,
  type StoredLease,
} from './lease-record.ts';

export interface LeaseClientOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly clock: Clock;
}

/** How long one request may take. */
export interface RequestLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A minute with the duration of this operator, whose replicas all write the same one. */
const MOST_DURATIONS = 4;

interface Observation {
  readonly lease: StoredLease;
  /** Local monotonic time at which this record was first seen. */
  readonly at: number;
}

/** The requests of one candidate about one Lease, and what they showed last. Throws as `KubeClient.request`. */
export class LeaseClient {
  /** For errors and logs. */
  readonly target: string;
  readonly #options: LeaseClientOptions;
  #observed: Observation | undefined;

  constructor(options: LeaseClientOptions) {
    this.#options = options;
    this.target = `Lease ${options.namespace}/${options.name}`;
  }

  /** The lease as it was last seen, if this candidate held it then. */
  get ownLease(): StoredLease | undefined {
    const lease = this.#observed?.lease;
    return lease?.record.holderIdentity === this.#options.identity ? lease : undefined;
  }

  /** Who held the lease when it was last seen; undefined if nobody did. */
  get holder(): string | undefined {
    return this.#observed?.lease.record.holderIdentity || undefined;
  }

  /**
   * Milliseconds until the record that was last seen has been unchanged for its duration; negative after that. A longer
   * duration than four times the own one counts as that: one record must not keep every replica from working. A holder that
   * lives renews much more often, and each renewal starts the wait again.
   */
  get expiresInMs(): number | undefined {
    if (this.#observed === undefined) return undefined;
    const { at, lease } = this.#observed;
    const { clock, leaseDurationMs } = this.#options;
    const durationMs = Math.min(lease.record.leaseDurationSeconds * 1000, MOST_DURATIONS * leaseDurationMs);
    return at + durationMs - clock.monotonic();
  }

  /** True when nobody holds it, or this candidate, or a holder that did not renew it for its duration. */
  isFree({ holderIdentity }: LeaseRecord): boolean {
    return holderIdentity === '' || holderIdentity === this.#options.identity || (this.expiresInMs ?? 0) < 0;
  }

  async read(limits: RequestLimits): Promise<StoredLease | undefined> {
    try {
      const lease = parseLease(await this.#request('GET', undefined, limits), this.target);
      this.#observe(lease, this.#options.clock.monotonic());
      return lease;
    } catch (thrown) {
      if (hasCode(thrown, 'NOT_FOUND')) return undefined;
      throw thrown;
    }
  }

  /**
   * Makes this candidate the holder, if the lease is as it was read (undefined: there is none). Resolves with the monotonic
   * time before the request: the server starts counting between that and its reply.
   */
  async hold(current: StoredLease | undefined, limits: RequestLimits): Promise<number> {
    const { clock, identity, leaseDurationMs, name, namespace } = this.#options;
    const startedAt = clock.monotonic();
    const spec = heldBy(identity, current?.record, { durationMs: leaseDurationMs, now: clock.now() });
    const fresh = {
      apiVersion: apiVersionOf(LEASES),
      kind: LEASES.kind,
      metadata: { name, namespace },
    };
    const method = current === undefined ? 'POST' : 'PUT';
    const body = await this.#request(method, { ...(current?.raw ?? fresh), spec }, limits);
    this.#observe(parseLease(body, this.target), startedAt);
    return startedAt;
  }

  /** False when the lease changed since it was read. */
  async release(current: StoredLease, limits: RequestLimits): Promise<boolean> {
    const spec = released(current.record, this.#options.clock.now());
    try {
      await this.#request('PUT', { ...current.raw, spec }, limits);
      return true;
    } catch (thrown) {
      if (hasCode(thrown, 'VERSION_CONFLICT')) return false;
      throw thrown;
    }
  }

  #observe(lease: StoredLease, at: number): void {
    const known = this.#observed;
    const unchanged = known !== undefined && sameRecord(known.lease.record, lease.record);
    this.#observed = { lease, at: unchanged ? known.at : at };
  }

  async #request(method: 'GET' | 'POST' | 'PUT', body: unknown, limits: RequestLimits): Promise<unknown> {
    const { client, namespace, name } = this.#options;
    const op = ({ GET: 'lease.read', POST: 'lease.create', PUT: 'lease.update' } as const)[method];
    const path =
      method === 'POST' ? collectionPath(LEASES, namespace) : objectPath(LEASES, { namespace, name });
    const query = method === 'GET' ? {} : { fieldValidation: 'Strict' };
    return await client.request({
      method,
      path,
      query,
      body,
      op,
      target: this.target,
      pool: 'lease',
      holdsNoValue: true,
      ...limits,
    });
  }
}
