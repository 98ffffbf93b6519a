import { PackedStore } from '#src/runtime/packed-store.ts';
import { objectKey, type CachedObject } from '#src/runtime/store.ts';

/**
 * What a watch told of the Secrets of a namespace while one pass was under way: the pass can have read each of them before. Disposing
 * of it ends that.
 */
export class Pass implements Disposable {
  /** Only the last state of each; as many as change while it is under way. */
  readonly #present = new PackedStore();
  readonly #gone = new Map<string, CachedObject>();
  readonly #onEnd: (pass: Pass) => void;
  #hasMissed = false;

  constructor(onEnd: (pass: Pass) => void) {
    this.#onEnd = onEnd;
  }

  /** True if changes can have been missed. */
  get hasMissed(): boolean {
    return this.#hasMissed;
  }

  changed(secret: CachedObject, exists: boolean): void {
    const key = objectKey(secret.metadata);
    if (exists) {
      this.#present.set(secret);
      this.#gone.delete(key);
    } else {
      this.#present.delete(key);
      this.#gone.set(key, secret);
    }
  }

  missed(): void {
    this.#hasMissed = true;
  }

  /** Each Secret that changed, and whether it exists. */
  *changes(): Generator<readonly [secret: CachedObject, exists: boolean]> {
    for (const secret of this.#present.values()) yield [secret, true];
    for (const secret of this.#gone.values()) yield [secret, false];
  }

  [Symbol.dispose](): void {
    this.#onEnd(this);
  }
}

/** The passes that are under way. */
export class Passes {
  readonly #byNamespace = new Map<string, Set<Pass>>();

  begin(namespace: string): Pass {
    const passes = this.#byNamespace.get(namespace) ?? new Set<Pass>();
    const pass = new Pass(() => {
      passes.delete(pass);
      if (passes.size === 0) this.#byNamespace.delete(namespace);
    });
    this.#byNamespace.set(namespace, passes.add(pass));
    return pass;
  }

  changed(secret: CachedObject, exists: boolean): void {
    for (const pass of this.#byNamespace.get(secret.metadata.namespace ?? '') ?? [])
      pass.changed(secret, exists);
  }

  /** In one namespace, or in all. */
  missed(namespace: string | undefined): void {
    for (const [name, passes] of this.#byNamespace)
      if (namespace === undefined || name === namespace) for (const pass of passes) pass.missed();
  }
}
