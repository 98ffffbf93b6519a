import type { IncomingMessage } from 'node:http';

/** One request as a proxy saw it. Numbers of all requests of one history come from one counter, so they compare. */
export interface RecordedRequest {
  /** Position of its arrival. */
  readonly seq: number;
  /** Position of the end of its reply (or of its connection); undefined while it is under way. */
  endSeq: number | undefined;
  /** Wall clock of its arrival, milliseconds since the epoch. */
  readonly time: number;
  /** Monotonic milliseconds of arrival and end. */
  readonly arrivedAt: number;
  endedAt: number | undefined;
  readonly method: string;
  /** As on the wire, percent-encoding and all, without the query. */
  readonly path: string;
  /** Without the question mark; empty if there is none. */
  readonly query: string;
  readonly userAgent: string;
  /** What the server answered, or what a rule answered in its place; undefined if there was no reply. */
  status: number | undefined;
  /** Only with `keepBodies`. */
  body?: Buffer;
}

/** The requests through one or more proxies, in order of arrival. Keeps no bodies of its own accord. */
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
