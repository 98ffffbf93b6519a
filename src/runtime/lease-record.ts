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

/** Into how many slices the holder of a Lease cuts the work. Absent: the work is whole, and nobody has cut it before. */
const SLICES = 'keyferry.io/slices';
/** The identity of a replica that asks the holder for the Lease, because it has fewer of them. */
const ASKED_BY = 'keyferry.io/asked-by';

/** What replicas tell each other in the annotations of a Lease. */
export interface LeaseNotes {
  /** Undefined: the annotation is absent, or says something else than a number. */
  readonly slices: number | undefined;
  readonly asker: string | undefined;
}

/** A Lease as read: `raw` has the fields that we do not know, for the PUT that writes it back. */
export interface StoredLease {
  readonly raw: JsonObject;
  readonly record: LeaseRecord;
  readonly notes: LeaseNotes;
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
    notes: notesOf(body['metadata']),
    record: {
      holderIdentity: typeof holderIdentity === 'string' ? holderIdentity : '',
      leaseDurationSeconds: typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds : 0,
      leaseTransitions: typeof leaseTransitions === 'number' ? leaseTransitions : 0,
      ...(typeof acquireTime === 'string' ? { acquireTime } : {}),
      ...(typeof renewTime === 'string' ? { renewTime } : {}),
    },
  };
}

function annotationsOf(metadata: JsonObject): JsonObject {
  const annotations = metadata['annotations'];
  return isJsonObject(annotations) ? annotations : {};
}

function notesOf(metadata: JsonObject): LeaseNotes {
  const { [SLICES]: slices, [ASKED_BY]: asker } = annotationsOf(metadata);
  return {
    slices: typeof slices === 'string' && /^[1-9][0-9]{0,3}$/.test(slices) ? Number(slices) : undefined,
    asker: typeof asker === 'string' && asker !== '' ? asker : undefined,
  };
}

/** The metadata with which a replica acquires the Lease, or goes on with it: nobody asks for it any more. */
export function withSlices(metadata: JsonObject, slices: number | undefined): JsonObject {
  const { [SLICES]: before, [ASKED_BY]: asker, ...others } = annotationsOf(metadata);
  if (slices === undefined && before === undefined && asker === undefined) return metadata;
  return {
    ...metadata,
    annotations: slices === undefined ? others : { ...others, [SLICES]: String(slices) },
  };
}

/** The metadata with which `identity` asks for the Lease. */
export function askedBy(metadata: JsonObject, identity: string): JsonObject {
  return { ...metadata, annotations: { ...annotationsOf(metadata), [ASKED_BY]: identity } };
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
