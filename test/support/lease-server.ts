import { OperatorError } from '#src/errors.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { heldBy } from '#src/runtime/lease-record.ts';

export interface ServedLease extends JsonObject {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly holderIdentity: string };
}

function isLease(value: unknown): value is ServedLease {
  return isJsonObject(value) && isJsonObject(value['metadata']) && isJsonObject(value['spec']);
}

/** The part of the API server that Leases use, for many of them: names and versions. */
export class LeaseServer {
  readonly leases = new Map<string, ServedLease>();
  #version = 0;

  readonly answer = (request: KubeRequest): unknown => {
    const name = request.path.split('/').at(-1) ?? '';
    if (request.method === 'GET') return this.#stored(name);
    const body: unknown = structuredClone(request.body);
    if (!isLease(body)) throw new Error('not a Lease');
    if (request.method === 'POST' && this.leases.has(body.metadata.name))
      throw new OperatorError('ALREADY_EXISTS', { op: request.op });
    if (
      request.method === 'PUT' &&
      this.#stored(name).metadata.resourceVersion !== body.metadata.resourceVersion
    )
      throw new OperatorError('VERSION_CONFLICT', { op: request.op });
    return this.#store(body);
  };

  /** Makes `holder` the holder, as an operator that knows no slices does. */
  hold(name: string, holder: string): void {
    const spec = heldBy(holder, undefined, { durationMs: 15_000, now: 0 });
    this.#store({ metadata: { ...this.leases.get(name)?.metadata, name, resourceVersion: '' }, spec });
  }

  /** Who holds a Lease; an empty text: nobody. */
  holderOf(name: string): string {
    return this.leases.get(name)?.spec.holderIdentity ?? '';
  }

  #store(lease: ServedLease): ServedLease {
    this.#version += 1;
    const metadata = { ...lease.metadata, resourceVersion: String(this.#version) };
    const stored = { ...lease, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
    this.leases.set(metadata.name, stored);
    return structuredClone(stored);
  }

  #stored(name: string): ServedLease {
    const lease = this.leases.get(name);
    if (lease === undefined) throw new OperatorError('NOT_FOUND', { op: 'lease.read' });
    return structuredClone(lease);
  }
}
