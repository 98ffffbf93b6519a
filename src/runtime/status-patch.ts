import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { OperatorError, hasCode } from '#src/errors.ts';
import { parseJson } from '#src/json/parse.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { describeTarget, statusPath, type Resource } from '#src/kube/resource.ts';
import { isKubeObject } from './listing.ts';
import { toMergePatch } from './merge-patch.ts';

/** A status as plain JSON; typed statuses are assignable. */
export type StatusFields = object;

/** An object whose status is to be written: as it was read, including resourceVersion. */
export interface WithStatus extends KubeObject {
  readonly status?: StatusFields | undefined;
}

export type StatusWrite =
  | { readonly state: 'written'; readonly object: KubeObject }
  /** Nothing differed, nothing was sent. */
  | { readonly state: 'unchanged' }
  /** The object no longer exists. This is not an error: no reader needs its status. */
  | { readonly state: 'gone' };

export interface StatusWriterOptions {
  readonly client: KubeClient;
  readonly resource: Resource;
  /** Members of the status that say who writes it: they go with each write that another member causes. */
  readonly stamp?: JsonObject;
}

/**
 * Writes the status of one resource: only what differs, and only if the object is unchanged since it was read. The caller
 * decides how often.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Throws `VERSION_CONFLICT` if the object changed since it was read. */
  async write(before: WithStatus, status: StatusFields, signal: AbortSignal): Promise<StatusWrite> {
    const patch = toMergePatch(toJson(before.status), toJson(status));
    if (patch === undefined) return { state: 'unchanged' };
    return await this.#send(before, { ...patch, ...this.#options.stamp }, signal);
  }

  async #send(before: WithStatus, patch: JsonObject, signal: AbortSignal): Promise<StatusWrite> {
    const { client, resource } = this.#options;
    const { uid, resourceVersion } = before.metadata;
    const target = describeTarget(resource, before.metadata);
    try {
      const written = await client.request({
        method: 'PATCH',
        path: statusPath(resource, before.metadata),
        query: { fieldValidation: 'Strict' },
        // A new object of this name has another version: 409. If versions repeat after an etcd restore, the uid differs: 422.
        body: { metadata: { uid, resourceVersion }, status: patch },
        contentType: 'application/merge-patch+json',
        op: 'kube.status',
        target,
        holdsNoValue: true,
        signal,
      });
      if (!isKubeObject(written)) throw new OperatorError('REPLY_INVALID', { op: 'kube.status', target });
      return { state: 'written', object: written };
    } catch (thrown) {
      if (!hasCode(thrown, 'NOT_FOUND')) throw thrown;
      return { state: 'gone' };
    }
  }
}

/** The value as the server gets it: without undefined members, Dates as text. */
function toJson(status: StatusFields | undefined): JsonObject {
  const json: unknown = parseJson(JSON.stringify(status ?? {}));
  return isJsonObject(json) ? json : {};
}
