import type { KubeObject } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import type { Labels } from '#src/ports.ts';
import { Callbacks } from './callbacks.ts';
import { listPages } from './listing.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { objectKey, parseObjectKey, Store, type IndexFunction, type ReadonlyStore } from './store.ts';

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
  readonly store: Store<T>;
  readonly unparsed: Map<string, KubeObject['metadata']>;
}

export interface InformerOptions<T extends KubeObject> extends ReflectorOptions {
  /**
   * Maps a whole object to the cached one, e.g. `(object) => object`. Runs once per event. If it throws, that is counted and
   * only this object is not in the cache (its older state is dropped); `unparsed` has it.
   */
  readonly project: (object: KubeObject) => T;
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Default: one of its own. */
  readonly cache?: InformerCache<T>;
  /** Objects per list page while they fit into a reply; default 500. */
  readonly pageSize?: number;
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

const PAGE_SIZE = 500;

/**
 * A cache of one resource, kept up to date by a reflector: each list replaces the content of the cache, and handlers get the
 * differences. Order within one change: cache first, then handlers. Only the signal ends `run`.
 */
export class Informer<T extends KubeObject> implements Watched<T> {
  readonly #options: InformerOptions<T>;
  readonly #store: Store<T>;
  readonly #unparsed: Map<string, KubeObject['metadata']>;
  readonly #handlers: ChangeHandler<T>[] = [];
  readonly #reflector: Reflector;
  readonly #callbacks: Callbacks;
  readonly #labels: Labels;
  readonly #fitting: FittingPage;
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#store = options.cache?.store ?? new Store(options.indexes);
    this.#unparsed = options.cache?.unparsed ?? new Map<string, KubeObject['metadata']>();
    this.#fitting = new FittingPage(options.pageSize ?? PAGE_SIZE);
    this.#labels = { resource: options.selection.resource.plural };
    this.#reflector = new Reflector(options, {
      list: async (signal) => this.#list(signal),
      apply: (object, exists) => {
        if (exists) this.#put(this.#see(object));
        else this.#remove(objectKey(object.metadata));
      },
    });
    this.#callbacks = new Callbacks({ ...options, labels: this.#labels });
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
    await this.#reflector.run(signal);
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, selection } = this.#options;
    const listed = new Set<string>();
    const changed: Seen<T>[] = [];
    let version = '';
    for await (const page of listPages({ client, selection, fitting: this.#fitting, signal })) {
      for (const object of page.objects) {
        const seen = this.#see(object);
        listed.add(seen.key);
        if (!seen.isKnown) changed.push(seen);
      }
      version = page.resourceVersion;
    }
    this.#replace(listed, changed);
    this.#hasSynced = true;
    this.#synced.resolve();
    return version;
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
    return this.#callbacks.call(() => this.#options.project(object), objectKey(object.metadata));
  }

  #notify(change: Change<T>): void {
    this.#options.metrics.gauge('keyferry_informer_objects', this.#labels, this.#store.size);
    const subject = change.current ?? change.old;
    const key = subject === undefined ? '' : objectKey(subject.metadata);
    for (const handler of this.#handlers) this.#callbacks.call(() => handler(change), key);
  }
}
