import { hasCode } from '#src/errors.ts';
import type { KubeClient } from '#src/kube/client.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { apiVersionOf, collectionPath, objectPath } from '#src/kube/resource.ts';
import type { Clock } from '#src/ports.ts';
import {
  askedBy,
  heldBy,
  LEASES,
  parseLease,
  released,
  sameRecord,
  withSlices,
  type LeaseRecord,
  type StoredLease,
} from './lease-record.ts';

export interface LeaseClientOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly leaseDurationMs: number;
  /** Into how many slices this replica cuts the work; default 1, which leaves no note in the Lease. */
  readonly slices?: number;
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
  #isSettled = false;

  constructor(options: LeaseClientOptions) {
    this.#options = options;
    this.target = `Lease ${options.namespace}/${options.name}`;
  }

  /** The lease as it was last seen, if this candidate held it then. */
  get ownLease(): StoredLease | undefined {
    const lease = this.#observed?.lease;
    return lease?.record.holderIdentity === this.#options.identity ? lease : undefined;
  }

  /** The lease as it was last seen; undefined before that, and where there is none. */
  get lastSeen(): StoredLease | undefined {
    return this.#observed?.lease;
  }

  /** Milliseconds for which the record that was last seen is known to be unchanged. */
  get unchangedMs(): number {
    return this.#observed === undefined ? 0 : this.#options.clock.monotonic() - this.#observed.at;
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

  /** Asks `holder`, if it holds the lease still, to give it to this candidate. Throws `VERSION_CONFLICT` if it renews it at this moment. */
  async ask(holder: string, limits: RequestLimits): Promise<void> {
    const current = await this.read(limits);
    if (current?.record.holderIdentity !== holder) return;
    const metadata = askedBy(metadataOf(current), this.#options.identity);
    const body = await this.#request('PUT', { ...current.raw, metadata }, limits);
    this.#observe(parseLease(body, this.target), this.#options.clock.monotonic());
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
    const renews = current?.record.holderIdentity === identity;
    const metadata = renews ? this.#renewing(current) : this.#acquiring(current, fresh.metadata);
    const body = await this.#request(method, { ...(current?.raw ?? fresh), metadata, spec }, limits);
    this.#observe(parseLease(body, this.target), startedAt);
    return startedAt;
  }

  /** Nobody shares a work that is whole: once that was looked at, its Lease needs no note any more. */
  settle(): void {
    this.#isSettled = true;
  }

  #renewing(current: StoredLease): JsonObject {
    const isNeedless = this.#isSettled && (this.#options.slices ?? 1) === 1;
    return isNeedless ? withSlices(metadataOf(current), undefined) : metadataOf(current);
  }

  /** A whole work is noted only where it was cut before: the next replica must look for those that still share it. */
  #acquiring(current: StoredLease | undefined, fresh: JsonObject): JsonObject {
    const { slices = 1 } = this.#options;
    const isNoted = slices > 1 || current?.notes.slices !== undefined;
    return withSlices(current === undefined ? fresh : metadataOf(current), isNoted ? slices : undefined);
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

function metadataOf({ raw }: StoredLease): JsonObject {
  const { metadata } = raw;
  return isJsonObject(metadata) ? metadata : {};
}
