import type { KubeObject } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import { Callbacks } from './callbacks.ts';
import { listPages, type Selection } from './listing.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { objectKey } from './store.ts';

/** Receives the changes of a feed. Must return at once: it adds keys to queues and does no work. */
export interface ChangeListener {
  /** An object was created or changed or, with `exists` false, deleted. It is as it was last seen. */
  changed(object: KubeObject, exists: boolean): void;
  /** Changes in this namespace, or in all, can have been missed: what exists must be compared. Later ones are told. */
  missed(namespace: string | undefined): void;
}

export interface ChangeFeedOptions extends ReflectorOptions {
  /** Each one once. Default: all namespaces, and one watch. */
  readonly namespaces?: readonly string[] | undefined;
}

/**
 * The changes of one resource from its start on. It keeps no objects, so its start and its memory do not depend on how many there
 * are. A caller that needs the existing objects lists them after `synced`.
 */
export class ChangeFeed {
  /** Resolves when every later change is told. Never rejects. */
  readonly synced: Promise<void>;
  readonly #options: ChangeFeedOptions;
  readonly #callbacks: Callbacks;
  readonly #listeners: ChangeListener[] = [];
  readonly #reflectors: readonly Reflector[];
  /** The watches that have not begun. */
  #pending: number;

  constructor({ namespaces, ...options }: ChangeFeedOptions) {
    this.#options = options;
    const { selection } = options;
    this.#callbacks = new Callbacks({ ...options, labels: { resource: selection.resource.plural } });
    const parts =
      namespaces === undefined ? [selection] : namespaces.map((namespace) => ({ ...selection, namespace }));
    this.#pending = parts.length;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    const onBegun = (): void => {
      this.#pending -= 1;
      if (this.hasSynced) resolve();
    };
    this.#reflectors = parts.map((part) => this.#reflector(part, onBegun));
  }

  get hasSynced(): boolean {
    return this.#pending === 0;
  }

  /** Listeners are called in the order in which they were added. */
  addListener(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  /** Watches until the signal aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map(async (reflector) => reflector.run(signal)));
  }

  #reflector(selection: Selection, onBegun: () => void): Reflector {
    let hasBegun = false;
    return new Reflector(
      { ...this.#options, selection },
      {
        list: async (signal) => {
          const version = await this.#versionNow(selection, signal);
          if (hasBegun) this.#tell((listener) => listener.missed(selection.namespace), selection.namespace);
          else onBegun();
          hasBegun = true;
          return version;
        },
        apply: (object, exists) => {
          this.#tell((listener) => listener.changed(object, exists), objectKey(object.metadata));
        },
      },
    );
  }

  /** A page of one object has the resourceVersion of the whole list. */
  async #versionNow(selection: Selection, signal: AbortSignal): Promise<string> {
    const { client } = this.#options;
    for await (const page of listPages({ client, selection, fitting: new FittingPage(1), signal }))
      return page.resourceVersion;
    return '';
  }

  #tell(about: (listener: ChangeListener) => void, key: string | undefined): void {
    for (const listener of this.#listeners) this.#callbacks.call(() => about(listener), key);
  }
}
