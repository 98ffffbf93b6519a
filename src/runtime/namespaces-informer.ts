import type { KubeObject } from '#src/kube/client.ts';
import {
  Informer,
  type ChangeHandler,
  type InformerCache,
  type InformerOptions,
  type Watched,
} from './informer.ts';
import { Store, type ReadonlyStore } from './store.ts';

export type NamespacesInformerOptions<T extends KubeObject> = Omit<InformerOptions<T>, 'cache'> & {
  /** Each one once. */
  readonly namespaces: readonly string[];
};

/**
 * One cache of the objects of some namespaces: an informer for each of them fills it. It lists and watches nothing outside of
 * them, so it needs no right there. Synced when all are.
 */
export class NamespacesInformer<T extends KubeObject> implements Watched<T> {
  readonly synced: Promise<void>;
  readonly #cache: InformerCache<T>;
  readonly #informers: readonly Informer<T>[];

  constructor({ namespaces, ...options }: NamespacesInformerOptions<T>) {
    const cache = { store: new Store(options.indexes), unparsed: new Map() };
    this.#cache = cache;
    this.#informers = namespaces.map(
      (namespace) => new Informer({ ...options, cache, selection: { ...options.selection, namespace } }),
    );
    this.synced = Promise.all(this.#informers.map(async ({ synced }) => synced)).then(() => undefined);
  }

  get store(): ReadonlyStore<T> {
    return this.#cache.store;
  }

  get unparsed(): Watched<T>['unparsed'] {
    return this.#cache.unparsed;
  }

  get hasSynced(): boolean {
    return this.#informers.every(({ hasSynced }) => hasSynced);
  }

  addHandler(handler: ChangeHandler<T>): void {
    for (const informer of this.#informers) informer.addHandler(handler);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#informers.map(async (informer) => informer.run(signal)));
  }
}
