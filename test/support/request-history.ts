import type { IncomingMessage } from 'node:http';

/** One request through a proxy. All requests of one history share one counter, so that their numbers compare. */
export interface RecordedRequest {
  /** Position of its arrival. */
  readonly seq: number;
  /** Position of the end of its reply (or of its connection); undefined until then. */
  endSeq: number | undefined;
  /** Wall clock of its arrival, milliseconds since the epoch. */
  readonly time: number;
  /** Monotonic milliseconds of arrival and end. */
  readonly arrivedAt: number;
  endedAt: number | undefined;
  readonly method: string;
  /** As on the wire, percent-encoded, without the query. */
  readonly path: string;
  /** Without the question mark; empty if there is none. */
  readonly query: string;
  readonly userAgent: string;
  /** Status of the reply of the server or of a rule; undefined without a reply. */
  status: number | undefined;
  /** Only with `keepBodies`. */
  body?: Buffer;
}

/** The requests through one or more proxies, in order of arrival. Keeps no bodies by default. */
export class RequestHistory {
  readonly requests: RecordedRequest[] = [];
  #counter = 0;

  arrived(request: IncomingMessage): RecordedRequest {
    const [path = '', ...query] = (request.url ?? '/').split('?');
    const record: RecordedRequest = {
      seq: this.#next(),
      endSeq: undefined,
      time: Date.now(),
      arrivedAt: performance.now(),
      endedAt: undefined,
      method: request.method ?? 'GET',
      path,
      query: query.join('?'),
      userAgent: request.headers['user-agent'] ?? '',
      status: undefined,
    };
    this.requests.push(record);
    return record;
  }

  ended(record: RecordedRequest): void {
    record.endSeq = this.#next();
    record.endedAt = performance.now();
  }

  #next(): number {
    this.#counter += 1;
    return this.#counter;
  }
}

/** True if the request can change something. A question about rights is a POST that changes nothing. */
export function isChange({ method, path }: Pick<RecordedRequest, 'method' | 'path'>): boolean {
  return method !== 'GET' && method !== 'LIST' && !path.endsWith('/sys/capabilities-self');
}
