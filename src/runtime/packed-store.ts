import { OperatorError } from '#src/errors.ts';
import type { ObjectMeta } from '#src/kube/client.ts';
import { objectKey, parseObjectKey, type CachedObject, type ObjectStore } from './store.ts';

/**
 * Objects of which only the version and the labels are of interest: name, namespace, uid, resourceVersion and labels, and nothing else
 * of what is set. There can be tens of thousands of them: each is one short text (ADR 0081). With the index `namespace`.
 */
export class PackedStore implements ObjectStore<CachedObject> {
  /** By namespace and name. */
  readonly #packed = new Map<string | undefined, Map<string, string>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): CachedObject | undefined {
    const { namespace, name } = parseObjectKey(key);
    const packed = this.#packed.get(namespace)?.get(name);
    return packed === undefined ? undefined : unpacked(packed, namespace, name);
  }

  *values(): IterableIterator<CachedObject> {
    for (const namespace of this.#packed.keys()) yield* this.#in(namespace);
  }

  *keys(): IterableIterator<string> {
    for (const [namespace, objects] of this.#packed)
      for (const name of objects.keys())
        yield objectKey(namespace === undefined ? { name } : { name, namespace });
  }

  byIndex(index: string, value: string): readonly CachedObject[] {
    if (index !== 'namespace') throw new OperatorError('INVARIANT', { op: 'store.index', detail: index });
    return [...this.#in(value)];
  }

  set({ metadata }: CachedObject): CachedObject | undefined {
    const { labels, name, namespace, resourceVersion, uid } = metadata;
    const previous = this.get(objectKey(metadata));
    const objects = this.#packed.get(namespace) ?? new Map<string, string>();
    this.#packed.set(namespace, objects);
    objects.set(
      name,
      JSON.stringify(labels === undefined ? [uid, resourceVersion] : [uid, resourceVersion, labels]),
    );
    if (previous === undefined) this.#size += 1;
    return previous;
  }

  delete(key: string): CachedObject | undefined {
    const previous = this.get(key);
    if (previous === undefined) return undefined;
    const { namespace, name } = parseObjectKey(key);
    const objects = this.#packed.get(namespace);
    objects?.delete(name);
    if (objects?.size === 0) this.#packed.delete(namespace);
    this.#size -= 1;
    return previous;
  }

  *#in(namespace: string | undefined): Generator<CachedObject> {
    for (const [name, packed] of this.#packed.get(namespace) ?? []) yield unpacked(packed, namespace, name);
  }
}

function unpacked(packed: string, namespace: string | undefined, name: string): CachedObject {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as `set` wrote it
  const [uid, resourceVersion, labels] = JSON.parse(packed) as [string, string, ObjectMeta['labels']?];
  const where = namespace === undefined ? { name } : { name, namespace };
  const metadata = { ...where, uid, resourceVersion };
  return { metadata: labels === undefined ? metadata : { ...metadata, labels } };
}
