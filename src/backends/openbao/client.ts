import type { Dispatcher } from 'undici';
import type { SecretValue } from '#src/core/secret-value.ts';
import { closed } from '#src/errors/closed.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { askAtSend } from '#src/io/ask-at-send.ts';
import { readReply } from '#src/io/bounded-reply.ts';
import { Deadline } from '#src/io/deadline.ts';
import { networkError } from '#src/io/network-failure.ts';
import { RequestSpan } from '#src/io/request-span.ts';
import type { QuotaHints } from '#src/io/learnt-rate.ts';
import { parseRetryAfter } from '#src/io/retry-delay.ts';
import type { Ended } from '#src/io/learnt-width.ts';
import type { Slot } from '#src/io/server-slots.ts';
import type { SlotsByServer, SlotsLease } from '#src/io/slots-by-server.ts';
import type { ConnectionLease, ServerConnections } from '#src/io/server-connections.ts';
import type { Turns } from '#src/io/turns.ts';
import { timeOfDate, type ServerClock } from '#src/io/server-clock.ts';
import { parseJson } from '#src/json/parse.ts';
import type { Clock, Mandate, Permit, Tracer } from '#src/ports.ts';
import { JsonText, parseExactly } from './exact-json.ts';
import { REPLY_LIMITS, type ReplyKind } from './reply-limits.ts';
import { pemOf, type TlsMaterial } from './tls.ts';

/*
 * HTTP to one OpenBao server, without knowledge of KV, over the connections that all backends of the server share, pinned to
 * the origin of the address. It never follows redirects, bounds replies, and puts no body text into an error.
 */

export interface ClientOptions {
  /** Origin of the server, e.g. `https://bao.example.org:8200`. */
  readonly origin: string;
  /** Value of X-Vault-Namespace, if the server has namespaces. */
  readonly namespace: string | undefined;
  readonly tls: TlsMaterial;
  readonly serverName: string | undefined;
  /** Shared by all backends. */
  readonly connections: ServerConnections;
  /** Whose connections they are while this client uses them. */
  readonly tenant: string;
  readonly timeoutMs: number;
  /** Concurrent requests, at most. */
  readonly maxInFlight: number;
  readonly userAgent: string;
  /** Asked as each request that `mutates` is sent. */
  readonly mandate: Mandate;
  readonly clock: Clock;
  /** Gets a span for each request. */
  readonly tracer: Tracer;
  /** Resolves when this number of bytes of a reply may be in memory; disposed of once it was parsed. */
  readonly reserve: (bytes: number, signal: AbortSignal) => Promise<Disposable>;
  /** Shared by all clients of the same backend. */
  readonly turns: Turns;
  /** Shared by all clients of the process. */
  readonly slots: SlotsByServer;
  /** Learns the time of the server from its replies. */
  readonly serverClock: ServerClock;
}

export interface BaoRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Encoded, from `apiPathOf`. */
  readonly path: string;
  /** The same path for traces: `{mount}`, `{path}` stand for what is not a constant of the API. */
  readonly urlTemplate: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Path of the object in the reply whose members keep their text if they are not strings. */
  readonly exactAt?: readonly string[];
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Constant name of the operation. */
  readonly op: string;
  /** What the operation is done to, for errors. */
  readonly target: string;
  /** What its reply contains, which bounds the reply. */
  readonly replies: ReplyKind;
  /** True if it changes something: a lost reply is then indeterminate. */
  readonly mutates?: boolean;
  /** Asked right before the request leaves: the change of a document has one. */
  readonly permit?: Pick<Permit, 'require'>;
  /** True if it only gives up what this process holds, which needs no mandate. */
  readonly givesUp?: boolean;
  /** True for paths that refuse the namespace header (sys/health). */
  readonly rootNamespace?: boolean;
}

interface Sending {
  readonly request: BaoRequest;
  readonly token: SecretValue | undefined;
  readonly signal: AbortSignal;
}

/** Any reply, whatever its status. */
export interface BaoReply {
  readonly status: number;
  /** The parsed body; undefined if there is none or if it is not JSON. */
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;
  /** Time of the server, milliseconds since the epoch in whole seconds; undefined if the reply has no date. */
  readonly serverTime: number | undefined;
}

export class BaoClient implements Disposable {
  readonly #options: ClientOptions;
  readonly #slots: SlotsLease;
  readonly #connections: ConnectionLease;
  #isClosed = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { connections, maxInFlight, origin, serverName, slots, tenant, timeoutMs, tls } = options;
    const server = { origin, serverName, tls: pemOf(tls) };
    this.#slots = slots.lease(server);
    this.#connections = connections.lease(server, { tenant, maxInFlight, timeoutMs });
  }

  get origin(): string {
    return this.#options.origin;
  }

  get namespace(): string | undefined {
    return this.#options.namespace;
  }

  /**
   * One request. Resolves for every HTTP status; throws `ADDRESS_FORBIDDEN` before anything is sent, `BACKEND_UNREACHABLE`,
   * `TLS_FAILED`, `DEADLINE` or `REPLY_TOO_LARGE` if there is no usable reply, `RATE_LIMITED` if the server's quota has let nothing pass for
   * minutes, `LEASE_LOST` if it mutates without a mandate, `BACKEND_NOT_READY` after the client was disposed of, and the
   * reason of the signal if it aborts.
   *
   * A request that the quota refuses waits and is sent again, a write too: the quota is checked before the request
   * reaches any handler (`rateLimitQuotaWrapping` in http/util.go of Vault 1.13 and OpenBao 2.6), and a refused write
   * leaves no version. docs/adr/0031 has the measurements.
   */
  async request(request: BaoRequest, token: SecretValue | undefined, signal: AbortSignal): Promise<BaoReply> {
    for (;;) {
      using turn = await this.#options.turns.next(signal);
      // A server that is known to refuse is asked whether it still does: that says nothing new.
      // Health and login, once for each backend: whether the server answers at all must not wait for what it does not answer.
      const isKnown = this.#options.turns.isBlocked;
      using slot = token === undefined ? undefined : await this.#slots.slots.acquire(signal);
      const { hints, reply } = await this.#sendIn(isKnown ? undefined : slot, { request, token, signal });
      if (!isRefusal(request, reply)) {
        turn.accepted(hints);
        return reply;
      }
      turn.refused(hints);
    }
  }

  /** Tells the slot what the reply, or its absence, says of the server. */
  async #sendIn(
    slot: Slot | undefined,
    { request, token, signal }: Sending,
  ): Promise<{ readonly reply: BaoReply; readonly hints: QuotaHints }> {
    try {
      const replied = await this.#send(request, token, signal);
      slot?.ended(endedWith(request, replied.reply));
      return replied;
    } catch (failure) {
      if (!signal.aborted && hasCode(failure, 'DEADLINE')) slot?.ended('overloaded');
      throw failure;
    }
  }

  async #send(
    request: BaoRequest,
    token: SecretValue | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly reply: BaoReply; readonly hints: QuotaHints }> {
    const { op, target, mutates: writes = false } = request;
    const unansweredAt = this.#options.origin;
    if (this.#isClosed) throw closed({ op, target });
    const { clock, timeoutMs } = this.#options;
    using deadline = new Deadline(clock, timeoutMs, signal, {
      op,
      target,
      indeterminate: writes,
      unansweredAt,
    });
    const span = this.#spanOf(request, deadline);
    try {
      using connection = await this.#connections.take(deadline.signal);
      const sentAt = clock.monotonic();
      const response = await this.#dispatcherFor(request, connection.dispatcher).request({
        method: request.method,
        path: withQuery(request),
        headers: this.#headers(request, token),
        body: textOf(request.body),
        reset: false, // Whatever the method: by default undici closes the connection after a DELETE with a body.
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal: deadline.signal,
      });
      span.replied(response.statusCode);
      this.#options.serverClock.note(response.headers['date'], sentAt);
      const read = await this.#read(request, response, deadline);
      span.done();
      return read;
    } catch (thrown) {
      const isOwn = thrown instanceof OperatorError;
      const failure = isOwn ? thrown : networkError(thrown, { op, target, writes, unansweredAt });
      span.failed(deadline.expired ? deadline.signal.reason : failure);
      if (signal.aborted) throw signal.reason;
      if (!isOwn && deadline.expired) throw deadline.signal.reason;
      throw failure;
    }
  }

  async #read(
    { op, target, mutates: writes = false, replies, rootNamespace, exactAt }: BaoRequest,
    { statusCode, headers, body }: Dispatcher.ResponseData,
    deadline: Deadline,
  ): Promise<{ readonly reply: BaoReply; readonly hints: QuotaHints }> {
    const { origin, reserve } = this.#options;
    // What replies with too much to the first request can be any server.
    const unansweredAt = rootNamespace === true ? origin : undefined;
    const bounds = {
      limits: REPLY_LIMITS[replies],
      declared: headers['content-length'],
      operation: { op, target, writes, unansweredAt },
      reserve: async (bytes: number) => reserve(bytes, deadline.signal),
    };
    const parsed = await readReply(body, bounds, (bytes) => jsonOf(bytes, exactAt));
    const retryAfterMs = parseRetryAfter(headers['retry-after'], headers['date']);
    const serverTime = timeOf(headers['date']);
    return {
      reply: { status: statusCode, body: parsed, retryAfterMs, serverTime },
      hints: hintsOf(headers, retryAfterMs),
    };
  }

  #spanOf({ method, op, urlTemplate }: BaoRequest, deadline: Deadline): RequestSpan {
    const { origin, tracer } = this.#options;
    return new RequestSpan(tracer, () => ({ method, op, urlTemplate, server: new URL(origin) }), deadline);
  }

  #dispatcherFor(
    { mutates = false, givesUp = false, permit }: BaoRequest,
    connection: Dispatcher,
  ): Dispatcher {
    if (!mutates || givesUp) return connection;
    return askAtSend(connection, this.#options.mandate, permit);
  }

  #headers(request: BaoRequest, token: SecretValue | undefined): Record<string, string> {
    const { namespace, userAgent } = this.#options;
    return {
      'user-agent': userAgent,
      'x-vault-request': 'true',
      ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
      ...(namespace === undefined || request.rootNamespace === true
        ? {}
        : { 'x-vault-namespace': namespace }),
      ...(token === undefined ? {} : { 'x-vault-token': token.reveal().toString('utf8') }),
    };
  }

  /** Ends its requests in flight. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#slots[Symbol.dispose]();
    this.#connections[Symbol.dispose]();
  }
}

/**
 * A refusal has `errors`, or is the page of a proxy. A standby sends its health with 429, and so does any other server to
 * which the address can lead: the reply to a request for the health must have `errors`.
 */
function isRefusal({ rootNamespace = false }: BaoRequest, { body, status }: BaoReply): boolean {
  const hasErrors = typeof body === 'object' && body !== null && 'errors' in body;
  return status === 429 && (hasErrors || !rootNamespace);
}

/** The replies of a server, or of a proxy before it, that has too much to do. */
const OVERLOADED: ReadonlySet<number> = new Set([429, 502, 503, 504]);

function endedWith({ replies }: BaoRequest, { status }: BaoReply): Ended {
  if (OVERLOADED.has(status)) return 'overloaded';
  // What a listing takes is a matter of its length.
  return replies === 'document' || replies === 'small' ? 'answered' : 'answeredLate';
}

/** The server sends these two only with `enable_rate_limit_response_headers`, in seconds rounded down. */
function hintsOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  retryAfterMs: number | undefined,
): QuotaHints {
  const limit = headers['x-ratelimit-limit'];
  const reset = headers['x-ratelimit-reset'];
  return {
    retryAfterMs,
    limit: typeof limit === 'string' && /^\d{1,9}$/.test(limit) ? Number(limit) : undefined,
    resetMs: typeof reset === 'string' && /^\d{1,6}$/.test(reset) ? Number(reset) * 1000 : undefined,
  };
}

function withQuery(request: BaoRequest): string {
  if (request.query === undefined) return request.path;
  const query = new URLSearchParams(request.query).toString();
  return query === '' ? request.path : `${request.path}?${query}`;
}

/** The body to send; a JsonText is sent as it is. */
function textOf(body: unknown): string | null {
  if (body === undefined) return null;
  return body instanceof JsonText ? body.text : JSON.stringify(body);
}

/** Drops the error of the parser, because it quotes its input. */
function jsonOf(bytes: Buffer, exactAt: readonly string[] | undefined): unknown {
  if (bytes.byteLength === 0) return undefined;
  try {
    const text = bytes.toString('utf8');
    return exactAt === undefined ? parseJson(text) : parseExactly(text, exactAt);
  } catch {
    return undefined;
  }
}

function timeOf(header: string | string[] | undefined): number | undefined {
  const time = timeOfDate(header);
  return Number.isNaN(time) ? undefined : time;
}
