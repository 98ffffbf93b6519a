import { GROUP, VERSION, type Kind } from '#src/api/group.ts';
import { resourceOf } from '#src/app/clients.ts';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { describeTarget, objectPath, type ObjectName } from '#src/kube/resource.ts';
import { ObjectClient, type NewObject } from '#src/runtime/object-client.ts';

/** The owner of the fields that a person sets with a command (metadata.managedFields). */
const FIELD_MANAGER = 'keyferry-cli';
/**
 * The owner of the digest that a person approves. The API server keeps one time for each owner, that of its last change: with an
 * owner of its own, a later command does not move the time of the approval.
 */
export const APPROVING_MANAGER = 'keyferry-cli-approve';

/** An object to create; the API server checks what is in it. */
export interface NewOwnObject extends NewObject {
  readonly spec: unknown;
}

/**
 * The objects of Keyferry, with the rights of a person. None of them holds a value, so refusals are shown in the words of the
 * API server. Throws as `KubeClient.request`.
 */
export class OwnObjects {
  readonly #client: KubeClient;
  readonly #signal: AbortSignal;

  constructor(client: KubeClient, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** The same objects for work that another signal ends: what must be tidied up after Ctrl-C. */
  until(signal: AbortSignal): OwnObjects {
    return new OwnObjects(this.#client, signal);
  }

  /** The object as the server has it; undefined if there is none. */
  async find(kind: Kind, name: ObjectName): Promise<KubeObject | undefined> {
    return await new ObjectClient(this.#client, resourceOf(kind)).get(name, this.#signal);
  }

  /** An unknown field is refused. Throws `ALREADY_EXISTS`. */
  async create(kind: Kind, object: NewOwnObject): Promise<KubeObject> {
    const whole = { apiVersion: `${GROUP}/${VERSION}`, kind, ...object };
    return await new ObjectClient(this.#client, resourceOf(kind)).create(whole, this.#signal);
  }

  /**
   * Merges these members into the object (RFC 7386), only while it is in the version that was read: `VERSION_CONFLICT`
   * otherwise.
   */
  async patch(
    kind: Kind,
    { name, namespace, resourceVersion, uid }: KubeObject['metadata'],
    { metadata, ...members }: { readonly metadata?: object; readonly spec?: object },
    fieldManager = FIELD_MANAGER,
  ): Promise<void> {
    await this.#change('PATCH', kind, {
      object: { name, namespace },
      query: { fieldValidation: 'Strict', fieldManager },
      contentType: 'application/merge-patch+json',
      // If versions repeat after an etcd restore, the uid differs: 422.
      body: { ...members, metadata: { ...metadata, uid, resourceVersion } },
    });
  }

  /** Deletes it; with a uid, only that one. Throws `NOT_FOUND`. */
  async remove(kind: Kind, { uid, ...object }: ObjectName & { readonly uid?: string }): Promise<void> {
    await this.#change('DELETE', kind, {
      object,
      ...(uid === undefined ? {} : { body: { preconditions: { uid } } }),
    });
  }

  async #change(
    method: 'PATCH' | 'DELETE',
    kind: Kind,
    { object, ...content }: { readonly object: ObjectName } & Omit<ChangeContent, 'object'>,
  ): Promise<void> {
    const resource = resourceOf(kind);
    await this.#client.request({
      method,
      path: objectPath(resource, object),
      op: method === 'PATCH' ? 'kube.patch' : 'kube.delete',
      target: describeTarget(resource, object),
      holdsNoValue: true,
      signal: this.#signal,
      ...content,
    });
  }
}

interface ChangeContent {
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: object;
}
