import type { KubeClient, KubeObject, WatchEvent } from '#src/kube/client.ts';
import { documentation } from '#src/errors/documentation.ts';
import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf, hasCode, type OperatorError } from '#src/errors.ts';
import { titleOf } from '#src/kube/resource.ts';
import type { Clock, Labels, Logger, Metrics, Random } from '#src/ports.ts';
import { Backoff } from './backoff.ts';
import {
  bookmarkVersion,
  selectionPath,
  selectionQuery,
  watchAccept,
  watchedObject,
  type Selection,
} from './listing.ts';

export interface ReflectorOptions {
  readonly client: KubeClient;
  readonly selection: Selection;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Receives what a reflector finds. */
export interface Reflected {
  /** Called first, and when changes were missed: resolves to the resourceVersion to watch from. */
  list(signal: AbortSignal): Promise<string>;
  /** Called with each change from that version on, in order; `exists` is false for an object that was deleted. Must not throw. */
  apply(object: KubeObject, exists: boolean): void;
}

/** Each resource that the API server does not have itself comes with our manifests. */
const INSTALL_CRDS = `Install the CustomResourceDefinitions of this version: ${documentation('install.md')}. The operator goes on by itself.`;
const BACKOFF = { baseMs: 800, capMs: 30_000, resetAfterMs: 120_000 };
const WATCH_SECONDS = { least: 300, range: 300 };
/** The API server sends a bookmark about once a minute; a connection that is silent for longer than this is dead. */
const IDLE_MS = { least: 90_000, range: 30_000 };
/** A watch that the server ends sooner than this counts as failed; else we would reconnect without a pause. */
const SHORTEST_HEALTHY_WATCH_MS = 1_000;

/**
 * Tells of one resource by list and watch, with the semantics of client-go's reflector:
 *
 *     list ─► watch from its resourceVersion ─► apply changes
 *       ▲                   │ ended or failed: back-off, watch from the last version
 *       └─ 410 Gone: back-off ┘
 *
 * Only the signal ends `run`.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #reflected: Reflected;
  readonly #backoff: Backoff;
  readonly #labels: Labels;
  /** The resourceVersion from which the watch resumes; undefined: a list is due. */
  #resourceVersion: string | undefined;

  constructor(options: ReflectorOptions, reflected: Reflected) {
    this.#options = options;
    this.#reflected = reflected;
    this.#backoff = new Backoff({ ...BACKOFF, clock: options.clock, random: options.random });
    this.#labels = { resource: options.selection.resource.plural };
    for (const name of COUNTERS) options.metrics.count(name, this.#labels, 0);
  }

  /** Lists and watches until the signal aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAt = this.#options.clock.monotonic();
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal);
        const healthyMs = this.#options.clock.monotonic() - startedAt;
        if (healthyMs < SHORTEST_HEALTHY_WATCH_MS) await this.#pause(0, signal);
      } catch (thrown) {
        if (!signal.aborted) await this.#recover(thrown, signal);
      }
    }
  }

  async #recover(thrown: unknown, signal: AbortSignal): Promise<void> {
    const { metrics } = this.#options;
    const problem = errorOf(thrown);
    if (hasCode(problem, 'WATCH_EXPIRED')) this.#resourceVersion = undefined;
    metrics.count('keyferry_informer_failures_total', this.#labels);
    this.#noteFailure(problem);
    await this.#pause(problem.retryAfterMs ?? 0, signal);
  }

  #noteFailure(problem: OperatorError): void {
    const { logger, selection } = this.#options;
    const { namespace, resource } = selection;
    const about = { ...this.#labels, namespace, ...logFieldsOf(problem) };
    if (problem.status === 403) {
      const place = namespace === undefined ? 'in all namespaces' : `in the namespace ${namespace}`;
      const grant = `list and watch on ${titleOf(resource)} ${place}`;
      logger.warn('list or watch is forbidden, retrying', { ...about, grant });
    } else if (problem.status === 404) {
      // A list has no object that could be absent.
      const summary = `The API server does not serve ${titleOf(resource)}.`;
      logger.warn('a resource is not served, retrying', { ...about, summary, hint: INSTALL_CRDS });
    } else logger.warn('list or watch failed, retrying', about);
  }

  async #pause(atLeastMs: number, signal: AbortSignal): Promise<void> {
    // Only the signal can reject the sleep, and the loop checks it next.
    await this.#options.clock.sleep(this.#backoff.nextMs(atLeastMs), signal).catch(() => undefined);
  }

  async #list(signal: AbortSignal): Promise<void> {
    this.#options.metrics.count('keyferry_informer_lists_total', this.#labels);
    this.#resourceVersion = await this.#reflected.list(signal);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, selection, random, metrics } = this.#options;
    metrics.count('keyferry_informer_watches_total', this.#labels);
    const seconds = Math.floor(WATCH_SECONDS.least + WATCH_SECONDS.range * random());
    const events = client.watch({
      path: selectionPath(selection),
      query: {
        ...selectionQuery(selection),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: this.#resourceVersion,
        timeoutSeconds: String(seconds),
      },
      accept: watchAccept(selection),
      op: 'kube.watch',
      target: selection.resource.kind,
      idleTimeoutMs: IDLE_MS.least + IDLE_MS.range * random(),
      signal,
    });
    for await (const event of events) {
      // A custom client may yield once more after the abort; nothing must be told then.
      if (signal.aborted) return;
      this.#apply(event);
    }
  }

  #apply(event: WatchEvent): void {
    const { selection, metrics } = this.#options;
    if (event.type === 'BOOKMARK') {
      this.#resourceVersion = bookmarkVersion(event.object, selection);
      return;
    }
    const object = watchedObject(event.object, selection);
    metrics.count('keyferry_informer_events_total', this.#labels);
    this.#reflected.apply(object, event.type !== 'DELETED');
    this.#resourceVersion = object.metadata.resourceVersion;
  }
}

const COUNTERS = [
  'keyferry_informer_failures_total',
  'keyferry_informer_lists_total',
  'keyferry_informer_watches_total',
  'keyferry_informer_events_total',
] as const;
