import type { V1ObjectMeta } from '@kubernetes/client-node';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { OperatorError, hasCode } from '#src/errors.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import {
  collectionPath,
  describeTarget,
  objectPath,
  type ObjectName,
  type Resource,
} from '#src/kube/resource.ts';
import type { Wire } from '#src/kube/wire.ts';
import { ACCEPT_METADATA, isKubeObject, listPages } from './listing.ts';

/** The owner of the fields that the operator changes in objects of others (metadata.managedFields). */
const FIELD_MANAGER = 'keyferry';
/** Objects of a page while all fit into a reply. */
const PAGE_SIZE = 250;

/** An object to create: the server adds uid and resourceVersion. */
export interface NewObject {
  readonly metadata: ObjectName & Pick<Wire<V1ObjectMeta>, 'labels' | 'annotations' | 'ownerReferences'>;
}

/**
 * Live reads and conditional writes of one resource, where a cache must not be used. Throws as `KubeClient.request`; the
 * caller must check the content of replies beyond their metadata.
 */
export class ObjectClient {
  readonly #client: KubeClient;
  readonly #resource: Resource;

  constructor(client: KubeClient, resource: Resource) {
    this.#client = client;
    this.#resource = resource;
  }

  /** The object, or undefined if the server reports that it does not exist. */
  async get(object: ObjectName, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#request('GET', object, { signal });
    } catch (thrown) {
      if (hasCode(thrown, 'NOT_FOUND')) return undefined;
      throw thrown;
    }
  }

  /** Only its metadata: the rest of the object does not leave the server. Undefined if it does not exist. */
  async getMetadata(object: ObjectName, signal: AbortSignal): Promise<KubeObject['metadata'] | undefined> {
    try {
      return (await this.#request('GET', object, { accept: ACCEPT_METADATA, signal })).metadata;
    } catch (thrown) {
      if (hasCode(thrown, 'NOT_FOUND')) return undefined;
      throw thrown;
    }
  }

  /**
   * All objects of a namespace, at one state of the server, page by page. Of their metadata only what identifies them, and
   * these annotations; the rest is as the server has it.
   */
  async *list(
    namespace: string,
    annotations: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<KubeObject, void, undefined> {
    const selection = { resource: this.#resource, namespace, annotations };
    const fitting = new FittingPage(PAGE_SIZE);
    for await (const { objects } of listPages({ client: this.#client, selection, fitting, signal }))
      yield* objects;
  }

  async create(object: NewObject, signal: AbortSignal): Promise<KubeObject> {
    return await this.#request('POST', object.metadata, { body: object, signal });
  }

  /** Replaces the object; its metadata must have the resourceVersion that was read. */
  async replace(object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    return await this.#request('PUT', object.metadata, { body: object, signal });
  }

  /** Deletes this very object, and what it owns after it. One that is gone already is no error. */
  async delete({ name, namespace, uid }: KubeObject['metadata'], signal: AbortSignal): Promise<void> {
    const object = { name, namespace };
    try {
      await this.#client.request({
        method: 'DELETE',
        path: objectPath(this.#resource, object),
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid },
          propagationPolicy: 'Background',
        },
        op: 'kube.delete',
        target: describeTarget(this.#resource, object),
        signal,
      });
    } catch (thrown) {
      if (!hasCode(thrown, 'NOT_FOUND')) throw thrown;
    }
  }

  /**
   * Merges these members into an object of others (RFC 7386), as the field manager `keyferry`, only while it is in the version
   * that was read: `VERSION_CONFLICT` otherwise. The object can have values, so no text of an admission control is shown.
   */
  async patch(
    { name, namespace, uid, resourceVersion }: KubeObject['metadata'],
    members: object,
    signal: AbortSignal,
  ): Promise<void> {
    const object = { name, namespace };
    await this.#client.request({
      method: 'PATCH',
      path: objectPath(this.#resource, object),
      query: { fieldValidation: 'Strict', fieldManager: FIELD_MANAGER },
      contentType: 'application/merge-patch+json',
      // If versions repeat after an etcd restore, the uid differs: 422.
      body: { ...members, metadata: { uid, resourceVersion } },
      op: 'kube.patch',
      target: describeTarget(this.#resource, object),
      signal,
    });
  }

  async #request(
    method: keyof typeof OPERATIONS,
    object: ObjectName,
    content: { readonly accept?: string; readonly body?: object; readonly signal: AbortSignal },
  ): Promise<KubeObject> {
    const op = OPERATIONS[method];
    const target = describeTarget(this.#resource, object);
    const reply = await this.#client.request({
      method,
      path:
        method === 'POST'
          ? collectionPath(this.#resource, object.namespace)
          : objectPath(this.#resource, object),
      query: method === 'GET' ? {} : { fieldValidation: 'Strict' },
      op,
      target,
      // Secrets are in the core group.
      ...(this.#resource.group === '' ? {} : { holdsNoValue: true as const }),
      ...content,
    });
    if (!isKubeObject(reply)) throw new OperatorError('REPLY_INVALID', { op, target });
    return reply;
  }
}

const OPERATIONS = {
  GET: 'kube.get',
  POST: 'kube.create',
  PUT: 'kube.replace',
} as const;
