import { randomUUID } from 'node:crypto';
import { API_VERSION } from '#src/api/group.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import { parseJson } from '#src/json/parse.ts';
import type { KubeClient, KubeObject, KubeRequest, WatchEvent } from '#src/kube/client.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import type { Clock } from '#src/ports.ts';
import { isKubeObject } from '#src/runtime/listing.ts';
import { applyMergePatch } from '#src/runtime/merge-patch.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';

/** Where objects stay after the process. */
export interface ObjectStore {
  /** Resolves when the object is durable. */
  write(object: KubeObject): Promise<void>;
}

/** Of a dry run: nothing stays. */
export const NOWHERE: ObjectStore = { write: async () => undefined };

export interface LocalObjectsOptions {
  /** What earlier runs stored, and what the file of this run says. */
  readonly objects: readonly KubeObject[];
  readonly store: ObjectStore;
  readonly clock: Pick<Clock, 'now'>;
  /** Called with each object that was changed. */
  readonly onChange?: (object: KubeObject) => void;
}

/**
 * The part of the Kubernetes API that the operator uses for objects of its own kinds, without a server: so one reconcile runs
 * in a process as it runs in a cluster. It has optimistic concurrency as the API server does, and a write resolves when the
 * object is durable.
 */
export class LocalObjects implements KubeClient {
  readonly #options: LocalObjectsOptions;
  /** By kind, namespace and name. */
  readonly #objects = new Map<string, KubeObject>();
  #writing: Promise<unknown> = Promise.resolve();
  #revision = 0;
  #storeFailure: unknown;

  constructor(options: LocalObjectsOptions) {
    this.#options = options;
    for (const object of options.objects) {
      this.#objects.set(keyOf(pluralOf(object), object.metadata), object);
      this.#revision = Math.max(this.#revision, Number(object.metadata.resourceVersion) || 0);
    }
  }

  /** The first failure of the store; undefined while all that was written is durable. */
  get storeFailure(): unknown {
    return this.#storeFailure;
  }

  /** All objects of a kind, in the order of their creation. */
  ofKind(kind: string): readonly KubeObject[] {
    return [...this.#objects.values()].filter((object) => object.kind === kind);
  }

  /** Throws `NOT_FOUND`, `ALREADY_EXISTS`, `VERSION_CONFLICT`, and `SERVER_ERROR` for a failure of the store. */
  async request(request: KubeRequest): Promise<unknown> {
    if (request.method === 'GET') return this.#get(request);
    // One after the other: what was compared is still so when it is written.
    const written = this.#writing.then(async () => this.#write(request));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  #get(request: KubeRequest): KubeObject {
    const found = this.#objects.get(addressOf(request.path).key);
    if (found === undefined) throw failureOf('NOT_FOUND', request);
    return found;
  }

  async #write(request: KubeRequest): Promise<KubeObject> {
    const changed = this.#changed(request);
    try {
      await this.#options.store.write(changed);
    } catch (failure) {
      this.#storeFailure ??= failure;
      throw failureOf('SERVER_ERROR', request);
    }
    this.#objects.set(keyOf(addressOf(request.path).plural, changed.metadata), changed);
    this.#options.onChange?.(changed);
    return changed;
  }

  #changed(request: KubeRequest): KubeObject {
    const { body, method } = request;
    if (!isJsonObject(body)) throw failureOf('REQUEST_REJECTED', request);
    const metadata = isJsonObject(body['metadata']) ? body['metadata'] : {};
    if (method === 'POST') return this.#created(request, body, metadata);
    const current = this.#get(request);
    const { uid, resourceVersion } = current.metadata;
    if (metadata['uid'] !== uid || metadata['resourceVersion'] !== resourceVersion)
      throw failureOf('VERSION_CONFLICT', request);
    const merged = method === 'PATCH' ? applyMergePatch({ ...current }, body) : { ...current, ...body };
    const identity = { ...current.metadata, ...metadata, resourceVersion: this.#nextRevision() };
    return asStored({ ...merged, metadata: identity }, request);
  }

  #created(request: KubeRequest, body: JsonObject, metadata: JsonObject): KubeObject {
    const { plural } = addressOf(request.path);
    const identity = {
      uid: randomUUID(),
      resourceVersion: this.#nextRevision(),
      generation: 1,
      creationTimestamp: toKubernetesTime(this.#options.clock.now()),
    };
    const object = asStored({ ...body, metadata: { ...metadata, ...identity } }, request);
    if (this.#objects.has(keyOf(plural, object.metadata))) throw failureOf('ALREADY_EXISTS', request);
    return object;
  }

  #nextRevision(): string {
    this.#revision += 1;
    return String(this.#revision);
  }

  /** Nothing else changes these objects. Throws `INVARIANT`. */
  watch(): AsyncIterable<WatchEvent> {
    throw new OperatorError('INVARIANT', { op: 'local.watch' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }
}

function failureOf(code: ErrorCode, { op, target }: KubeRequest): OperatorError {
  return new OperatorError(code, { op, target });
}

/** As JSON has it, so that what is read later equals what is used now. */
function asStored(object: JsonObject, request: KubeRequest): KubeObject {
  const stored: unknown = parseJson(JSON.stringify(object));
  if (!isKubeObject(stored)) throw failureOf('REQUEST_REJECTED', request);
  return stored;
}

/** `/apis/keyferry.io/v1alpha1[/namespaces/NAMESPACE]/PLURAL[/NAME[/status]]` */
function addressOf(path: string): { readonly plural: string; readonly key: string } {
  const rest = path.slice(`/apis/${API_VERSION}/`.length).split('/').map(decodeURIComponent);
  const namespace = rest[0] === 'namespaces' ? rest[1] : undefined;
  const [plural = '', name = ''] = namespace === undefined ? rest : rest.slice(2);
  return { plural, key: keyOf(plural, { namespace, name }) };
}

function keyOf(
  plural: string,
  { namespace, name }: Pick<KubeObject['metadata'], 'namespace' | 'name'>,
): string {
  return [plural, namespace ?? '', name].join('/');
}

function pluralOf({ kind = '' }: KubeObject): string {
  return `${kind.toLowerCase()}s`;
}
