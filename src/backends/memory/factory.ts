import type { Clock } from '#src/ports.ts';
import type { Driver } from '../driver.ts';
import type { BackendDefinition, BackendFactory } from '../factory.ts';
import { MemoryDriver } from './driver.ts';
import { MemoryStore, type MemoryStoreOptions } from './store.ts';

export interface MemoryFactoryOptions extends Omit<MemoryStoreOptions, 'name' | 'clock'> {
  readonly clock: Pick<Clock, 'now'>;
}

/** Makes one flat store per namespace, or one tree store for all namespaces. */
export class MemoryFactory implements BackendFactory {
  readonly kind = 'memory';
  readonly #options: MemoryFactoryOptions;
  readonly #stores = new Map<string, MemoryStore>();

  constructor(options: MemoryFactoryOptions) {
    this.#options = options;
  }

  create({ title, tenant, credentialsNamespace }: BackendDefinition): Driver {
    const isFlat = this.#options.addressing === 'flat';
    const name = isFlat ? `${title} ${tenant ?? credentialsNamespace}` : title;
    return new MemoryDriver({ store: this.storeOf(name) });
  }

  /** For tests: the store of a driver of this name. */
  storeOf(name: string): MemoryStore {
    const existing = this.#stores.get(name);
    if (existing !== undefined) return existing;
    const store = new MemoryStore({ ...this.#options, name });
    this.#stores.set(name, store);
    return store;
  }
}
