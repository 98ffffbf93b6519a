import type { KubeObject, ObjectMeta } from '#src/kube/client.ts';
import { OperatorError } from '#src/errors.ts';

/** The members that a cached object needs at least. */
export type CachedObject = KubeObject;

/** Maps an object to the values under which `Store.byIndex` finds it. Pure. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** `namespace/name`, or `name` for cluster-scoped objects: the key of caches and queues. */
export function objectKey(metadata: Pick<ObjectMeta, 'name' | 'namespace'>): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** The reverse of `objectKey`. */
export function parseObjectKey(key: string): { readonly namespace?: string; readonly name: string } {
  const slash = key.indexOf('/');
  if (slash < 0) return { name: key };
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** A cache for its readers. Objects are frozen; to change one, copy it. */
export interface ReadonlyStore<T extends KubeObject> {
  readonly size: number;
  get(key: string): T | undefined;
  values(): IterableIterator<T>;
  keys(): IterableIterator<string>;
  /** Objects that the index function `index` maps to `value`; an unknown index is `INVARIANT`. */
  byIndex(index: string, value: string): readonly T[];
}

/** Objects by key, with secondary indexes. */
export class Store<T extends KubeObject> implements ReadonlyStore<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, Index<T>>;

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.#indexes = new Map(Object.entries(indexes).map(([name, toValues]) => [name, new Index(toValues)]));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  byIndex(index: string, value: string): readonly T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new OperatorError('INVARIANT', { op: 'store.index', detail: index });
    return found.keysOf(value).flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Adds the object and returns the one that it replaces. */
  set(object: T): T | undefined {
    const key = objectKey(object.metadata);
    const previous = this.delete(key);
    deepFreeze(object);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) index.add(key, object);
    return previous;
  }

  /** Removes the object and returns it. */
  delete(key: string): T | undefined {
    const previous = this.#objects.get(key);
    if (previous === undefined) return undefined;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) index.remove(key, previous);
    return previous;
  }
}

class Index<T> {
  readonly #toValues: IndexFunction<T>;
  readonly #keysByValue = new Map<string, Set<string>>();

  constructor(toValues: IndexFunction<T>) {
    this.#toValues = toValues;
  }

  keysOf(value: string): string[] {
    return [...(this.#keysByValue.get(value) ?? [])];
  }

  add(key: string, object: T): void {
    for (const value of this.#toValues(object)) {
      const keys = this.#keysByValue.get(value);
      if (keys === undefined) this.#keysByValue.set(value, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, object: T): void {
    for (const value of this.#toValues(object)) {
      const keys = this.#keysByValue.get(value);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysByValue.delete(value);
    }
  }
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
}
