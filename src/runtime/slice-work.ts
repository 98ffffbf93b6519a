import type { Reconcile } from './controller.ts';
import { sliceOf } from './slice-of.ts';
import { parseObjectKey } from './store.ts';

/** Objects of one kind, as their controller works on them. */
export interface Worked {
  /** Of all objects that are known. */
  readonly keys: () => Iterable<string>;
  /** The object is this replica's from now on. */
  readonly wake: (key: string) => void;
  /**
   * Stops what is under way with the objects that `isAmong` is true for, and what still begins before the result is disposed of;
   * they are this replica's no longer.
   */
  readonly stop?: (isAmong: (key: string) => boolean) => Disposable;
  /** Forgets what this process remembers of an object: another replica works on it, and changes it. */
  readonly forget?: (key: string) => void;
  /** Every replica works on these objects. What only one may do asks `holds` right before. */
  readonly everywhere?: boolean;
}

/**
 * What this process works on: the slices that are open. A reconcile of an object in another one does nothing, so the queues need
 * not know of slices.
 */
export class SliceWork {
  readonly #count: number;
  readonly #open = new Set<number>();
  readonly #running = new Map<number, number>();
  readonly #kinds: Worked[] = [];
  #ended = Promise.withResolvers<void>();

  /** `isOpen`: no other process works, so all slices are open from the start. */
  constructor(count: number, isOpen: boolean) {
    this.#count = count;
    if (isOpen) for (let slice = 0; slice < count; slice += 1) this.#open.add(slice);
  }

  /** Whether this replica works on the objects of the namespace; undefined: on those of the cluster. */
  holds(namespace: string | undefined): boolean {
    return this.#open.has(sliceOf(namespace, this.#count));
  }

  /** `reconcile` for the objects of open slices only. */
  guarded(reconcile: Reconcile, worked: Worked): Reconcile {
    this.#kinds.push(worked);
    return async (key, context) => {
      const slice = this.#sliceOf(key);
      if (!this.#open.has(slice) && worked.everywhere !== true) {
        worked.forget?.(key);
        return { kind: 'done' };
      }
      this.#note(slice, 1);
      try {
        return await reconcile(key, context);
      } finally {
        this.#note(slice, -1);
      }
    };
  }

  /** From now on this replica works on the slice. */
  open(slice: number): void {
    this.#open.add(slice);
    for (const kind of this.#kinds) for (const key of this.#keysIn(slice, kind)) kind.wake(key);
  }

  /** The work of this process has ended. */
  drop(slice: number): void {
    this.#open.delete(slice);
  }

  /** Ends the work on a slice; resolves when nothing of it is under way, and nothing of it is remembered. */
  async close(slice: number): Promise<void> {
    this.#open.delete(slice);
    using stopping = new DisposableStack();
    for (const kind of this.#kinds) stopping.use(kind.stop?.((key) => this.#sliceOf(key) === slice));
    while ((this.#running.get(slice) ?? 0) > 0) await this.#ended.promise;
    for (const kind of this.#kinds) for (const key of this.#keysIn(slice, kind)) kind.forget?.(key);
  }

  #sliceOf(key: string): number {
    return sliceOf(parseObjectKey(key).namespace, this.#count);
  }

  #keysIn(slice: number, { keys }: Worked): readonly string[] {
    return [...keys()].filter((key) => this.#sliceOf(key) === slice);
  }

  #note(slice: number, step: 1 | -1): void {
    this.#running.set(slice, (this.#running.get(slice) ?? 0) + step);
    if (step === 1) return;
    const { resolve } = this.#ended;
    this.#ended = Promise.withResolvers();
    resolve();
  }
}
