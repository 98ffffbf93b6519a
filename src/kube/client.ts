import type { KubernetesObject } from '@kubernetes/client-node';
import type { Permit } from '#src/ports.ts';
import type { Stored, StoredIdentity, Wire } from './wire.ts';

/** The client interface to the Kubernetes API. `transport.ts` implements it on shared undici dispatchers. */

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute path, built with `apiPath` so that each segment is checked and encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Serialized as JSON. */
  readonly body?: unknown;
  /** Default `application/json`; patches set their own. */
  readonly contentType?: string;
  /** Default `application/json`. */
  readonly accept?: string;
  /** A POST that creates nothing, such as a review: it needs no mandate, and can be sent again like a GET. */
  readonly onlyAsks?: true;
  /**
   * Nothing in the object, as it is sent and stored, is a value of a user or a credential: so the own words of an admission
   * control that refuses it can be shown. Never for Secrets, tokens and reviews of tokens.
   */
  readonly holdsNoValue?: true;
  /** Constant name of the operation for errors and metrics, e.g. `kube.secret.create`. */
  readonly op: string;
  /** `Kind namespace/name` for errors. */
  readonly target: string;
  /** Default: the request timeout of the transport. */
  readonly timeoutMs?: number;
  /** The connection pool. Pools are separate, so that a busy default pool cannot delay the lease. `lease` asks no mandate. */
  readonly pool?: 'default' | 'lease';
  readonly signal: AbortSignal;
  /** Asked right before the request leaves, also before each retry. */
  readonly permit?: Pick<Permit, 'require'>;
}

export interface KubeClient extends AsyncDisposable {
  /**
   * One request and its JSON body. Retries 429 and 503 with Retry-After, and for GET also connection failures, with
   * jitter within the timeout; a write is retried only when it provably never reached the server. Asks the mandate
   * immediately before each request that changes something is sent, except in the pool `lease`.
   * Throws OperatorError: 401 and 403 `AUTH_DENIED`, a refusal of an admission control `ADMISSION_DENIED`, 403 because
   * the namespace is being deleted `NAMESPACE_LEAVING`, a 404 whose Status names the object `NOT_FOUND` (any other 404, from
   * a proxy or for a kind that is not served, `REPLY_INVALID`), 409 AlreadyExists `ALREADY_EXISTS`, other 409
   * `VERSION_CONFLICT`, 410 `WATCH_EXPIRED`, 400, 405, 415 and 422 `REQUEST_REJECTED`, 413 `DOCUMENT_REFUSED`,
   * 429 `RATE_LIMITED`, 5xx `SERVER_ERROR`, time-outs `DEADLINE`, no connection `BACKEND_UNREACHABLE`, bad TLS
   * `TLS_FAILED`, a body that is not JSON `REPLY_INVALID`, no mandate `LEASE_LOST`, a client that was disposed of
   * `BACKEND_NOT_READY`. Of the text of the body, errors have what `refusalIn` allows.
   */
  request(request: KubeRequest): Promise<unknown>;

  /** Opens a watch and yields its events; ends when the server closes it, throws as `request` does. */
  watch(request: WatchRequest): AsyncIterable<WatchEvent>;
}

export interface WatchRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly accept?: string;
  readonly op: string;
  readonly target: string;
  /** Milliseconds without a byte after which the connection counts as dead (`DEADLINE`). */
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: unknown;
}

/** The metadata of a Kubernetes object that Keyferry reads; caches keep no other. */
export type ObjectMeta = Pick<
  Stored<KubernetesObject>['metadata'],
  | keyof StoredIdentity
  | 'namespace'
  | 'generation'
  | 'creationTimestamp'
  | 'deletionTimestamp'
  | 'labels'
  | 'annotations'
  | 'finalizers'
>;

export interface KubeObject extends Wire<Pick<KubernetesObject, 'apiVersion' | 'kind'>> {
  readonly metadata: ObjectMeta;
}
