import type { KubeClient, KubeRequest, WatchEvent, WatchRequest } from '#src/kube/client.ts';

/** A KubeClient for faults and times that a real server cannot produce on demand. Keeps its requests. */
export class ScriptedKubeClient implements KubeClient {
  readonly requests: KubeRequest[] = [];
  readonly #answer: (request: KubeRequest) => unknown;
  readonly #watch: (request: WatchRequest) => AsyncIterable<WatchEvent>;

  constructor(
    answer: (request: KubeRequest) => unknown,
    watch: (request: WatchRequest) => AsyncIterable<WatchEvent> = untilAborted,
  ) {
    this.#answer = answer;
    this.#watch = watch;
  }

  async request(request: KubeRequest): Promise<unknown> {
    this.requests.push(request);
    return await this.#answer(request);
  }

  watch(request: WatchRequest): AsyncIterable<WatchEvent> {
    return this.#watch(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A watch on which nothing happens. */
export function untilAborted({ signal }: { readonly signal: AbortSignal }): AsyncIterable<WatchEvent> {
  const next = (): Promise<IteratorResult<WatchEvent>> =>
    new Promise((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

/** A watch that the server ends at once. */
export function endedAtOnce(): AsyncIterable<WatchEvent> {
  return { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) };
}
