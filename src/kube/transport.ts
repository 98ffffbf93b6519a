import type { Dispatcher } from 'undici';
import { errorOf, OperatorError } from '#src/errors.ts';
import { askAtSend } from '#src/io/ask-at-send.ts';
import { Deadline } from '#src/io/deadline.ts';
import { NO_TRACES } from '#src/io/no-traces.ts';
import { RequestSpan } from '#src/io/request-span.ts';
import type { ServerClock } from '#src/io/server-clock.ts';
import type { Clock, Mandate, Metrics, Random, Tracer } from '#src/ports.ts';
import type { KubeClient, KubeRequest, WatchEvent, WatchRequest } from './client.ts';
import type { KubeConnection, TlsSettings } from './config.ts';
import { Dispatchers, type PoolName } from './dispatchers.ts';
import { toExchange, toQueryString, type Exchange } from './exchange.ts';
import { REPLY_LIMITS, ReplyReader, type Reply } from './reply-reader.ts';
import { retryDelayMs } from './retry.ts';
import { silent, unreachable } from './unreachable.ts';
import { urlTemplateOf } from './url-template.ts';
import { readWatchEvents } from './watch-stream.ts';

export interface TransportOptions {
  readonly connection: KubeConnection;
  /** Asked as each request that changes something is sent, except by those of the lease itself. */
  readonly mandate: Mandate;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Gets a span for each request, watches excepted. Default: none. */
  readonly tracer?: Tracer;
  /** Learns the time of the API server from its replies. */
  readonly serverClock?: ServerClock;
  /** Keyferry version for the User-Agent. */
  readonly version: string;
  /** Number of connections of the default pool; default 32. */
  readonly connections?: number;
  /** Deadline of a request without its own, including retries; default 30 s. */
  readonly requestTimeoutMs?: number;
  /** Maximum bytes of a reply; default 8 MiB. */
  readonly maxReplyBytes?: number;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** A watch event is one object and a few bytes. */
const MAX_EVENT_BYTES = REPLY_LIMITS.maxBytes;
/** After this many time-outs in a row, the connections are at fault, not the requests. */
const TIMEOUTS_BEFORE_REBUILD = 3;

/** KubeClient over HTTP/1.1 with shared, separate connection pools. The constructor opens no connection. */
export class HttpKubeClient implements KubeClient {
  readonly #options: TransportOptions;
  readonly #dispatchers: Dispatchers;
  readonly #host: string;
  readonly #basePath: string;
  readonly #replies: ReplyReader;
  #timeoutsInARow = 0;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#dispatchers = new Dispatchers(options.connections ?? 32);
    this.#host = options.connection.server.host;
    this.#basePath = options.connection.server.pathname.replace(/\/+$/, '');
    this.#replies = new ReplyReader(options.maxReplyBytes);
  }

  async request(request: KubeRequest): Promise<unknown> {
    const exchange = toExchange(request);
    const timeoutMs = request.timeoutMs ?? this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    using deadline = new Deadline(this.#options.clock, timeoutMs, request.signal);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#exchange(exchange, deadline);
      } catch (thrown) {
        if (request.signal.aborted) throw request.signal.reason;
        await this.#waitForRetry(errorOf(thrown), { attempt, writes: exchange.writes, deadline });
      }
    }
  }

  async *watch(request: WatchRequest): AsyncGenerator<WatchEvent, void, void> {
    const { path, query, op, target } = request;
    const accept = request.accept ?? 'application/json';
    const exchange: Exchange = {
      method: 'GET',
      path,
      query,
      op,
      target,
      accept,
      pool: 'watch',
      writes: false,
    };
    using deadline = new Deadline(this.#options.clock, request.idleTimeoutMs, request.signal);
    try {
      const reply = await this.#sendAuthorized(exchange, deadline);
      if (reply.statusCode !== 200) throw await this.#replies.problem(reply, { exchange, deadline });
      const chunks = touching(reply.body, deadline);
      yield* readWatchEvents(chunks, { op, target, maxLineBytes: MAX_EVENT_BYTES });
    } catch (thrown) {
      if (request.signal.aborted) throw request.signal.reason;
      throw this.#toProblem(thrown, exchange, deadline);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatchers.destroy();
  }

  /** Returns when the request may be sent again; otherwise throws the problem. */
  async #waitForRetry(
    problem: OperatorError,
    state: { readonly attempt: number; readonly writes: boolean; readonly deadline: Deadline },
  ): Promise<void> {
    const { random, clock } = this.#options;
    const delayMs = retryDelayMs(problem, state.attempt, { writes: state.writes, random });
    if (delayMs === undefined || delayMs >= state.deadline.remainingMs) throw problem;
    await clock.sleep(delayMs, state.deadline.signal);
  }

  async #exchange(exchange: Exchange, deadline: Deadline): Promise<unknown> {
    const span = this.#spanOf(exchange, deadline);
    try {
      const reply = await this.#sendAuthorized(exchange, deadline);
      span.replied(reply.statusCode);
      if (reply.statusCode < 200 || reply.statusCode > 299)
        throw await this.#replies.problem(reply, { exchange, deadline });
      const result = await this.#replies.result(reply, { exchange, deadline });
      span.done();
      return result;
    } catch (thrown) {
      const problem = this.#toProblem(thrown, exchange, deadline);
      span.failed(problem);
      throw problem;
    }
  }

  #spanOf({ method, op, path }: Exchange, deadline: Deadline): RequestSpan {
    const { connection, tracer = NO_TRACES } = this.#options;
    const { server } = connection;
    return new RequestSpan(
      tracer,
      () => ({ method, op, urlTemplate: urlTemplateOf(path), server }),
      deadline,
    );
  }

  /** Sends; after a 401, which means that nothing was applied, sends again with freshly read credentials. */
  async #sendAuthorized(exchange: Exchange, deadline: Deadline): Promise<Reply> {
    const reply = await this.#send(exchange, deadline);
    if (reply.statusCode !== 401) return reply;
    await reply.body.dump();
    this.#options.connection.forgetAuthorization();
    return await this.#send(exchange, deadline);
  }

  async #send(exchange: Exchange, deadline: Deadline): Promise<Reply> {
    const { connection, clock, metrics, version } = this.#options;
    const authorization = await connection.authorization();
    const dispatcher = this.#dispatcherFor(exchange, await connection.tls());
    const startedAt = clock.monotonic();
    let status = '<error>';
    try {
      const reply = await dispatcher.request({
        origin: connection.server.origin,
        path: this.#basePath + exchange.path + toQueryString(exchange.query),
        method: exchange.method,
        headers: {
          accept: exchange.accept,
          'user-agent': `keyferry/${version}`,
          ...(authorization === undefined ? {} : { authorization }),
          ...(exchange.contentType === undefined ? {} : { 'content-type': exchange.contentType }),
        },
        ...(exchange.body === undefined ? {} : { body: exchange.body }),
        reset: false, // Or undici closes the connection after a DELETE with preconditions, which are its body.
        signal: deadline.signal,
      });
      status = String(reply.statusCode);
      this.#options.serverClock?.note(reply.headers['date'], startedAt);
      this.#timeoutsInARow = 0;
      return reply;
    } finally {
      metrics.count('rest_client_requests_total', {
        code: status,
        method: exchange.method,
        host: this.#host,
      });
      const seconds = (clock.monotonic() - startedAt) / 1000;
      metrics.observe(
        'rest_client_request_duration_seconds',
        { verb: exchange.method, host: this.#host },
        seconds,
      );
    }
  }

  /** The pool `lease` has only the requests that decide whether the mandate is held. */
  #dispatcherFor(exchange: Exchange, tls: TlsSettings): Dispatcher {
    const dispatcher = this.#dispatchers.pool(exchange.pool, tls);
    if (!exchange.writes || exchange.pool === 'lease') return dispatcher;
    return askAtSend(dispatcher, this.#options.mandate, exchange.permit);
  }

  #toProblem(thrown: unknown, exchange: Exchange, deadline: Deadline): OperatorError {
    const { server } = this.#options.connection;
    if (deadline.expired) {
      this.#noteTimeout(exchange.pool);
      return silent(exchange, server);
    }
    return thrown instanceof OperatorError ? thrown : unreachable(thrown, exchange, server);
  }

  /** Replaces connections that never reply (a half-open NAT entry, a dead node). */
  #noteTimeout(pool: PoolName): void {
    if (pool === 'watch') return; // An aborted watch has closed its socket.
    this.#timeoutsInARow += 1;
    if (this.#timeoutsInARow < TIMEOUTS_BEFORE_REBUILD) return;
    this.#timeoutsInARow = 0;
    this.#dispatchers.rebuild();
  }
}

async function* touching(body: AsyncIterable<unknown>, deadline: Deadline): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    deadline.touch();
    if (chunk instanceof Uint8Array) yield chunk;
  }
}
