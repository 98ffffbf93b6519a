import { parseJson } from '#src/json/parse.ts';
import type { CachedObject } from '#src/runtime/store.ts';

/**
 * What a watch told of the Secrets of a namespace while one pass was under way: the pass can have read each of them before. Disposing
 * of it ends that.
 */
export class Pass implements Disposable {
  readonly #namespace: string;
  readonly #onEnd: (pass: Pass) => void;
  /** The last state of each, by name. A pass can last hours and see as many as there are: each is one short text. */
  readonly #seen = new Map<string, string>();
  #hasMissed = false;

  constructor(namespace: string, onEnd: (pass: Pass) => void) {
    this.#namespace = namespace;
    this.#onEnd = onEnd;
  }

  /** True if changes can have been missed. */
  get hasMissed(): boolean {
    return this.#hasMissed;
  }

  changed({ metadata }: CachedObject, exists: boolean): void {
    const { labels, name, resourceVersion, uid } = metadata;
    this.#seen.set(name, JSON.stringify([exists, { uid, resourceVersion, labels }]));
  }

  missed(): void {
    this.#hasMissed = true;
  }

  /** Each Secret that changed, with its version and labels, and whether it exists. */
  *changes(): Generator<readonly [secret: CachedObject, exists: boolean]> {
    for (const [name, text] of this.#seen) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as `changed` wrote it
      const [exists, rest] = parseJson(text) as [boolean, Omit<CachedObject['metadata'], 'name'>];
      yield [{ metadata: { name, namespace: this.#namespace, ...rest } }, exists];
    }
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
    const pass = new Pass(namespace, () => {
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
