import type { KubeClient, KubeRequest, WatchEvent, WatchRequest } from '#src/kube/client.ts';

/** A KubeClient for time travel and faults that a real server cannot produce on demand. Keeps what it was asked. */
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
export async function* untilAborted(request: { readonly signal: AbortSignal }): AsyncGenerator<WatchEvent> {
  await new Promise((_resolve, reject) => {
    request.signal.addEventListener('abort', () => reject(request.signal.reason as Error), { once: true });
  });
}
