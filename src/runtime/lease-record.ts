import type { V1LeaseSpec } from '@kubernetes/client-node';
import { OperatorError } from '#src/errors.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import type { Resource } from '#src/kube/resource.ts';
import type { Wire } from '#src/kube/wire.ts';
import { toMicroTime } from './micro-time.ts';

export const LEASES: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

type LeaseSpec = Wire<V1LeaseSpec>;

/**
 * spec of a Lease. An empty holderIdentity: released. The times are MicroTime; only for display, never compared with our
 * clock.
 */
export type LeaseRecord = Pick<LeaseSpec, 'acquireTime' | 'renewTime'> & {
  readonly [Field in 'holderIdentity' | 'leaseDurationSeconds' | 'leaseTransitions']: NonNullable<
    LeaseSpec[Field]
  >;
};

/** A Lease as read: `raw` has the fields that we do not know, for the PUT that writes it back. */
export interface StoredLease {
  readonly raw: JsonObject;
  readonly record: LeaseRecord;
}

/** Throws `REPLY_INVALID` if this is not a Lease. */
export function parseLease(body: unknown, target: string): StoredLease {
  if (!isJsonObject(body) || body['kind'] !== 'Lease' || !isJsonObject(body['metadata'])) {
    throw new OperatorError('REPLY_INVALID', { op: 'lease.read', target });
  }
  const spec = isJsonObject(body['spec']) ? body['spec'] : {};
  const { holderIdentity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions } = spec;
  return {
    raw: body,
    record: {
      holderIdentity: typeof holderIdentity === 'string' ? holderIdentity : '',
      leaseDurationSeconds: typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds : 0,
      leaseTransitions: typeof leaseTransitions === 'number' ? leaseTransitions : 0,
      ...(typeof acquireTime === 'string' ? { acquireTime } : {}),
      ...(typeof renewTime === 'string' ? { renewTime } : {}),
    },
  };
}

export function sameRecord(left: LeaseRecord, right: LeaseRecord): boolean {
  return (
    left.holderIdentity === right.holderIdentity &&
    left.leaseDurationSeconds === right.leaseDurationSeconds &&
    left.acquireTime === right.acquireTime &&
    left.renewTime === right.renewTime &&
    left.leaseTransitions === right.leaseTransitions
  );
}

/** The record with which `identity` acquires the lease, or renews it if it is the holder. */
export function heldBy(
  identity: string,
  previous: LeaseRecord | undefined,
  time: { readonly durationMs: number; readonly now: number },
): LeaseRecord {
  const renewTime = toMicroTime(time.now);
  const keeps = previous?.holderIdentity === identity;
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(time.durationMs / 1000),
    acquireTime: keeps ? (previous.acquireTime ?? renewTime) : renewTime,
    renewTime,
    leaseTransitions: previous === undefined ? 0 : nextTransitions(previous, keeps),
  };
}

/** At the end of its type (int32), the count stays: the API server would refuse every takeover. */
function nextTransitions({ leaseTransitions }: LeaseRecord, keeps: boolean): number {
  return keeps ? leaseTransitions : Math.min(leaseTransitions + 1, 2 ** 31 - 1);
}

/** The record of a released lease: the next holder does not need to wait. */
export function released(previous: LeaseRecord, now: number): LeaseRecord {
  const time = toMicroTime(now);
  return {
    holderIdentity: '',
    leaseDurationSeconds: 1,
    acquireTime: time,
    renewTime: time,
    leaseTransitions: previous.leaseTransitions,
  };
}
