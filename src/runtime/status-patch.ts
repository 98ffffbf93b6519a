import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { OperatorError, hasCode } from '#src/errors.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { describeTarget, statusPath, type Resource } from '#src/kube/resource.ts';
import type { Clock } from '#src/ports.ts';
import { isKubeObject } from './listing.ts';
import { toMergePatch } from './merge-patch.ts';

/** A status as plain JSON; typed statuses are assignable. */
export type StatusFields = object;

/** An object whose status is to be written: as it was read, resourceVersion included. */
export interface WithStatus extends KubeObject {
  readonly status?: StatusFields | undefined;
}

export type StatusWrite =
  | { readonly state: 'written'; readonly object: KubeObject }
  /** Nothing differed, nothing was sent. */
  | { readonly state: 'unchanged' }
  /** The object no longer exists, which is no error: nobody is left to read a status. */
  | { readonly state: 'gone' }
  /** Too soon after the last write of this object; write again (something newer) after so long. */
  | { readonly state: 'deferred'; readonly afterMs: number };

export interface StatusWriterOptions {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly clock: Clock;
  /** Least time between two throttled writes of one object; default 5 s. */
  readonly minIntervalMs?: number;
}

/**
 * Writes the status of one resource: only what differs, only if the object is still the one that was read, and no more
 * often than the API server's other clients can bear. One writer serves all objects and is the only one that does.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #minIntervalMs: number;
  readonly #lastWriteAt = new Map<string, number>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#minIntervalMs = options.minIntervalMs ?? 5_000;
  }

  /** Writes at once: for condition flips and the end of a run. Throws `VERSION_CONFLICT` when the object has moved on. */
  async write(before: WithStatus, status: StatusFields, signal: AbortSignal): Promise<StatusWrite> {
    const patch = toMergePatch(toJson(before.status), toJson(status));
    if (patch === undefined) return { state: 'unchanged' };
    return await this.#send(before, patch, signal);
  }

  /** Writes progress: `deferred` when the last write of this object is younger than the interval. */
  async writeThrottled(before: WithStatus, status: StatusFields, signal: AbortSignal): Promise<StatusWrite> {
    const patch = toMergePatch(toJson(before.status), toJson(status));
    if (patch === undefined) return { state: 'unchanged' };
    const afterMs = this.#dueInMs(before.metadata.uid);
    return afterMs > 0 ? { state: 'deferred', afterMs } : await this.#send(before, patch, signal);
  }

  #dueInMs(uid: string): number {
    const lastWriteAt = this.#lastWriteAt.get(uid) ?? Number.NEGATIVE_INFINITY;
    return lastWriteAt + this.#minIntervalMs - this.#options.clock.monotonic();
  }

  async #send(before: WithStatus, patch: JsonObject, signal: AbortSignal): Promise<StatusWrite> {
    const { client, resource } = this.#options;
    const { uid, resourceVersion } = before.metadata;
    const target = describeTarget(resource, before.metadata);
    this.#noteWrite(uid);
    try {
      const written = await client.request({
        method: 'PATCH',
        path: statusPath(resource, before.metadata),
        query: { fieldValidation: 'Strict' },
        // A namesake has another version: 409. The uid still tells it apart after etcd was restored and versions repeat (422).
        body: { metadata: { uid, resourceVersion }, status: patch },
        contentType: 'application/merge-patch+json',
        op: 'kube.status',
        target,
        signal,
      });
      if (!isKubeObject(written)) throw new OperatorError('REPLY_INVALID', { op: 'kube.status', target });
      return { state: 'written', object: written };
    } catch (thrown) {
      if (!hasCode(thrown, 'NOT_FOUND')) throw thrown;
      this.#lastWriteAt.delete(uid);
      return { state: 'gone' };
    }
  }

  /** Also forgets the objects whose interval has passed: for those the entry makes no difference any more. */
  #noteWrite(uid: string): void {
    const now = this.#options.clock.monotonic();
    for (const [other, at] of this.#lastWriteAt) {
      if (now - at < this.#minIntervalMs) break; // In order of time, see below.
      this.#lastWriteAt.delete(other);
    }
    this.#lastWriteAt.delete(uid); // A Map keeps the place of a key that is only set again.
    this.#lastWriteAt.set(uid, now);
  }
}

/** As the server would see it: without undefined members, Dates as text. */
function toJson(status: StatusFields | undefined): JsonObject {
  const json: unknown = JSON.parse(JSON.stringify(status ?? {}));
  return isJsonObject(json) ? json : {};
}
