import type { KubeClient, KubeObject, WatchEvent } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import { documentation } from '#src/errors/documentation.ts';
import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf, hasCode, type OperatorError } from '#src/errors.ts';
import { titleOf } from '#src/kube/resource.ts';
import type { Clock, Labels, Logger, Metrics, Random } from '#src/ports.ts';
import { Backoff } from './backoff.ts';
import {
  bookmarkVersion,
  listPages,
  selectionPath,
  selectionQuery,
  watchAccept,
  watchedObject,
  type Selection,
} from './listing.ts';
import {
  objectKey,
  parseObjectKey,
  Store,
  type IndexFunction,
  type ObjectStore,
  type ReadonlyStore,
} from './store.ts';

/**
 * A change of one object: `old` undefined = added, `current` undefined = deleted.
 * `initial` is true for objects of the first list, which no user waits for.
 */
export interface Change<T> {
  readonly old: T | undefined;
  readonly current: T | undefined;
  readonly initial: boolean;
}

/** Called after the cache shows the change. Must return immediately: it adds keys to queues and does no work. */
export type ChangeHandler<T> = (change: Change<T>) => void;

/** What a user of a cache needs of whatever fills it: one informer, or several. */
export interface Watched<T extends KubeObject> {
  readonly store: ReadonlyStore<T>;
  /** Metadata of the objects that exist and are not in the cache because `project` threw, by key. */
  readonly unparsed: ReadonlyMap<string, KubeObject['metadata']>;
  /** Resolves when the first list is in the cache and its handlers have run. Never rejects. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** Handlers are called in the order in which they were added. Handlers added after `run` miss earlier changes. */
  addHandler(handler: ChangeHandler<T>): void;
  /** Keeps the cache up to date until the signal aborts; then resolves. */
  run(signal: AbortSignal): Promise<void>;
}

/** Where informers keep their objects. Those of different namespaces can share one: no two have the same key. */
export interface InformerCache<T extends KubeObject> {
  readonly store: ObjectStore<T>;
  readonly unparsed: Map<string, KubeObject['metadata']>;
}

export interface InformerOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly selection: Selection;
  /**
   * Maps a whole object to the cached one, e.g. `(object) => object`. Runs once per event. If it throws, that is counted and
   * only this object is not in the cache (its older state is dropped); `unparsed` has it.
   */
  readonly project: (object: KubeObject) => T;
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** The store for the objects. Default: one with `indexes`. */
  readonly makeStore?: () => ObjectStore<T>;
  /** Default: one of its own. */
  readonly cache?: InformerCache<T>;
  /** Objects per list page while they fit into a reply; default 500. */
  readonly pageSize?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What the cache needs of an object that the server has. */
interface Seen<T> {
  readonly key: string;
  readonly metadata: KubeObject['metadata'];
  /** The cache has this very state. */
  readonly isKnown: boolean;
  /** Undefined also if `project` threw. */
  readonly current: T | undefined;
}

/** Each resource that the API server does not have itself comes with our manifests. */
const INSTALL_CRDS = `Install the CustomResourceDefinitions of this version: ${documentation('install.md')}. The operator goes on by itself.`;
const PAGE_SIZE = 500;
const BACKOFF = { baseMs: 800, capMs: 30_000, resetAfterMs: 120_000 };
const WATCH_SECONDS = { least: 300, range: 300 };
/** The API server sends a bookmark about once a minute; a connection that is silent for longer than this is dead. */
const IDLE_MS = { least: 90_000, range: 30_000 };
/** A watch that the server ends sooner than this counts as failed; else we would reconnect without a pause. */
const SHORTEST_HEALTHY_WATCH_MS = 1_000;

/**
 * A cache of one resource, kept up to date by list and watch (with the semantics of client-go's reflector):
 *
 *     list (paged, consistent) ─► replace cache, diff ─► watch from its resourceVersion ─► apply events
 *       ▲                                                  │ ended or failed: back-off, watch from the last version
 *       └────────────────── 410 Gone: back-off ────────────┘
 *
 * Only the signal ends `run`. Order within one change: cache first, then handlers.
 */
export class Informer<T extends KubeObject> implements Watched<T> {
  readonly #options: InformerOptions<T>;
  readonly #store: ObjectStore<T>;
  readonly #unparsed: Map<string, KubeObject['metadata']>;
  readonly #handlers: ChangeHandler<T>[] = [];
  readonly #backoff: Backoff;
  readonly #labels: Labels;
  readonly #fitting: FittingPage;
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  /** The resourceVersion from which the watch resumes; undefined: a list is due. */
  #resourceVersion: string | undefined;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#store = options.cache?.store ?? storeOf(options);
    this.#unparsed = options.cache?.unparsed ?? new Map<string, KubeObject['metadata']>();
    this.#backoff = new Backoff({ ...BACKOFF, clock: options.clock, random: options.random });
    this.#fitting = new FittingPage(options.pageSize ?? PAGE_SIZE);
    this.#labels = { resource: options.selection.resource.plural };
    for (const name of COUNTERS) options.metrics.count(name, this.#labels, 0);
    options.metrics.gauge('keyferry_informer_objects', this.#labels, 0);
  }

  get store(): ReadonlyStore<T> {
    return this.#store;
  }

  get unparsed(): ReadonlyMap<string, KubeObject['metadata']> {
    return this.#unparsed;
  }

  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  addHandler(handler: ChangeHandler<T>): void {
    this.#handlers.push(handler);
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
    const { client, selection, metrics } = this.#options;
    metrics.count('keyferry_informer_lists_total', this.#labels);
    const listed = new Set<string>();
    const changed: Seen<T>[] = [];
    let version: string | undefined;
    for await (const page of listPages({ client, selection, fitting: this.#fitting, signal })) {
      for (const object of page.objects) {
        const seen = this.#see(object);
        listed.add(seen.key);
        if (!seen.isKnown) changed.push(seen);
      }
      version = page.resourceVersion;
    }
    this.#replace(listed, changed);
    this.#resourceVersion = version;
    if (this.#hasSynced) return;
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  /** Replaces the content of the cache by what is listed; handlers get only the differences. */
  #replace(listed: ReadonlySet<string>, changed: readonly Seen<T>[]): void {
    for (const key of [...this.#store.keys(), ...this.#unparsed.keys()]) {
      if (this.#covers(key) && !listed.has(key)) this.#remove(key);
    }
    for (const seen of changed) this.#put(seen);
  }

  /** Projects a changed object. The whole object is not needed after that. */
  #see(object: KubeObject): Seen<T> {
    const { metadata } = object;
    const key = objectKey(metadata);
    const known = this.#store.get(key)?.metadata ?? this.#unparsed.get(key);
    const isKnown = known?.uid === metadata.uid && known.resourceVersion === metadata.resourceVersion;
    return { key, metadata, isKnown, current: isKnown ? undefined : this.#project(object) };
  }

  /** True for the key of an object that this informer would list. */
  #covers(key: string): boolean {
    const { namespace } = this.#options.selection;
    return namespace === undefined || parseObjectKey(key).namespace === namespace;
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
      // A custom client may yield once more after the abort; the cache must not change then.
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
    if (event.type === 'DELETED') this.#remove(objectKey(object.metadata));
    else this.#put(this.#see(object));
    this.#resourceVersion = object.metadata.resourceVersion;
  }

  #put({ current, isKnown, key, metadata }: Seen<T>): void {
    if (isKnown) return;
    // Same name, other uid: the old object was deleted and this is a new one, although no DELETED arrived.
    const known = this.#store.get(key);
    if (known !== undefined && known.metadata.uid !== metadata.uid) this.#remove(key);
    if (current === undefined) {
      // First, so that no reader finds the object in neither of the two.
      this.#unparsed.set(key, metadata);
      this.#drop(key);
      return;
    }
    const old = this.#store.set(current);
    this.#unparsed.delete(key);
    this.#notify({ old, current, initial: !this.#hasSynced });
  }

  #remove(key: string): void {
    this.#unparsed.delete(key);
    this.#drop(key);
  }

  /** Removes it from the cache. */
  #drop(key: string): void {
    const old = this.#store.delete(key);
    if (old !== undefined) this.#notify({ old, current: undefined, initial: false });
  }

  #project(object: KubeObject): T | undefined {
    try {
      return this.#options.project(object);
    } catch (thrown) {
      this.#noteHandlerError(thrown, objectKey(object.metadata));
      return undefined;
    }
  }

  #notify(change: Change<T>): void {
    this.#options.metrics.gauge('keyferry_informer_objects', this.#labels, this.#store.size);
    for (const handler of this.#handlers) {
      try {
        handler(change);
      } catch (thrown) {
        const subject = change.current ?? change.old;
        this.#noteHandlerError(thrown, subject === undefined ? '' : objectKey(subject.metadata));
      }
    }
  }

  #noteHandlerError(thrown: unknown, key: string): void {
    this.#options.metrics.count('keyferry_informer_handler_errors_total', this.#labels);
    this.#options.logger.error('informer handler failed', thrown, { ...this.#labels, key });
  }
}

/** An empty store for the objects of informers with these options. */
export function storeOf<T extends KubeObject>({
  indexes,
  makeStore,
}: Pick<InformerOptions<T>, 'indexes' | 'makeStore'>): ObjectStore<T> {
  return makeStore?.() ?? new Store(indexes);
}

const COUNTERS = [
  'keyferry_informer_failures_total',
  'keyferry_informer_lists_total',
  'keyferry_informer_watches_total',
  'keyferry_informer_events_total',
  'keyferry_informer_handler_errors_total',
] as const;
