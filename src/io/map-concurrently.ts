/** How many at once; a function is asked whenever a slot may be free. */
export type Width = number | (() => number);

function current(width: Width): number {
  return typeof width === 'number' ? width : width();
}

/**
 * Runs `task` for every item, at most `width` at once, and yields the results as they arrive. Pulls the next item only when
 * a slot is free. The first rejection ends the iteration; running tasks are awaited (their results are dropped), so nothing
 * outlives the iterator.
 */
export async function* mapConcurrently<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  width: Width,
  task: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const tasks = new RunningTasks(items, width, task);
  try {
    for (tasks.fill(); tasks.hasMore; tasks.fill()) {
      const finished = await tasks.next();
      if (finished !== undefined) yield finished.result;
    }
  } finally {
    await tasks.end();
  }
}

interface Finished<R> {
  readonly ticket: number;
  readonly result: R;
}

/** The running tasks, and the item that is awaited. */
class RunningTasks<T, R> {
  readonly #iterator: AsyncIterator<T> | Iterator<T>;
  readonly #width: Width;
  readonly #task: (item: T) => Promise<R>;
  readonly #running = new Map<number, Promise<Finished<R>>>();
  #pulled: Promise<IteratorResult<T>> | undefined;
  #started = 0;
  #isExhausted = false;

  constructor(items: AsyncIterable<T> | Iterable<T>, width: Width, task: (item: T) => Promise<R>) {
    this.#iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    this.#width = width;
    this.#task = task;
  }

  get hasMore(): boolean {
    return this.#pulled !== undefined || this.#running.size > 0;
  }

  /** Starts available items, up to the width; requests one item from an asynchronous source. */
  fill(): void {
    while (!this.#isExhausted && this.#pulled === undefined && this.#running.size < current(this.#width)) {
      const pulled = this.#iterator.next();
      if (pulled instanceof Promise) this.#pulled = pulled;
      else this.#take(pulled);
    }
  }

  /** Waits for a finished task or a new item; undefined for an item, which it starts. */
  async next(): Promise<Finished<R> | undefined> {
    const waitedFor = [...(this.#pulled === undefined ? [] : [this.#pulled]), ...this.#running.values()];
    const first = await Promise.race(waitedFor);
    if ('ticket' in first) {
      this.#running.delete(first.ticket);
      return first;
    }
    this.#pulled = undefined;
    this.#take(first);
    return undefined;
  }

  #take(pulled: IteratorResult<T>): void {
    if (pulled.done === true) {
      this.#isExhausted = true;
      return;
    }
    const ticket = this.#started++;
    this.#running.set(
      ticket,
      this.#task(pulled.value).then((result) => ({ ticket, result })),
    );
  }

  async end(): Promise<void> {
    await Promise.allSettled([this.#pulled, ...this.#running.values()]);
    await this.#iterator.return?.();
  }
}

/** A place between two items where all work can stand still for a while. */
export interface Rest {
  /** Asked before each item. */
  readonly isDue: () => boolean;
  /** Called when it is due and nothing is in flight. */
  readonly take: () => Promise<void>;
}

/**
 * Feeds `items` to `work` with at most `limit` in flight, in order, pulling the next item only when a slot is free, so
 * that a slow destination slows down the reads of the source. Stops pulling when `stop` returns true. Resolves when all
 * started work has ended. Between two items it takes the `rest` that is due; rejects with the first failure of `items` or `work`, after all work in flight has ended.
 */
export async function forEachConcurrently<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  work: (item: Item) => Promise<void>,
  options: { readonly limit: Width; readonly stop: () => boolean; readonly rest?: Rest | undefined },
): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of items) {
      if (options.rest?.isDue() === true) {
        await Promise.all(inFlight);
        await options.rest.take();
      }
      if (options.stop() || failures.length > 0) break;
      const task = work(item).catch((failure: unknown) => {
        failures.push(failure);
      });
      inFlight.add(task);
      void task.finally(() => inFlight.delete(task));
      while (inFlight.size >= current(options.limit)) await Promise.race(inFlight);
    }
  } finally {
    await Promise.all(inFlight);
  }
  if (failures.length > 0) throw failures[0];
}
