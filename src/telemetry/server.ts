import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { OperatorError } from '#src/errors.ts';
import type { Clock, Logger } from '#src/ports.ts';
import { followPair, readPair, type CertificateFiles } from './certificate.ts';
import { Connections } from './connections.ts';
import type { Exposition } from './metrics.ts';
import { ScrapeCache } from './scrape-cache.ts';
import { TokenGate, type Verdict } from './token-gate.ts';

/*
 * Both servers answer every client that reaches their port. Each has few connections, and little time and space for a request, so that
 * no client can hold what another one needs: a connection, a file descriptor, or the event loop.
 */

/** Of one server. A kubelet has one or two; Prometheus has one. */
const MAX_CONNECTIONS = 100;
const MAX_REQUESTS_OF_CONNECTION = 100;
const MAX_HEADER_BYTES = 16 * 1024;
/** For the handshake, the headers and the request, in milliseconds. */
const REQUEST_MS = 5000;
/** How often the server compares with REQUEST_MS; by default every 30 s. */
const CHECK_MS = 1000;
/** Without a byte in either direction: also a client that does not read its answer. */
const SILENCE_MS = 10_000;
/** The longest that a client waits for a new value, and the least between two computations. */
const SCRAPE_MS = 1000;

const LIMITS: ServerOptions = {
  headersTimeout: REQUEST_MS,
  requestTimeout: REQUEST_MS,
  keepAliveTimeout: REQUEST_MS,
  connectionsCheckingInterval: CHECK_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
};

/** A listening server; its disposal closes its connections. */
export interface TelemetryServer extends AsyncDisposable {
  readonly host: string;
  /** The actual port, also if port 0 was requested. */
  readonly port: number;
}

/** Checks by name; all of them must return true. */
export type Checks = Readonly<Record<string, () => boolean>>;

export interface HealthOptions {
  /** `host:port` or `:port`; port 0 takes a free one. */
  readonly bindAddress: string;
  /** Whether this process still works. Never call a backend here: a sealed one would restart every replica. */
  readonly live: Checks;
  /** Whether the caches are filled. A replica that waits for the Lease is ready. */
  readonly ready: Checks;
}

/** Serves /healthz and /readyz: 200 `ok`, or 503 with the names of the failed checks. */
export async function openHealthServer(options: HealthOptions): Promise<TelemetryServer> {
  return await open(options.bindAddress, {
    '/healthz': () => answerOf(options.live),
    '/readyz': () => answerOf(options.ready),
  });
}

export interface MetricsServerOptions {
  /** `host:port` or `:port`; port 0 takes a free one. */
  readonly bindAddress: string;
  readonly exposition: () => Promise<Exposition>;
  readonly clock: Clock;
  /** HTTPS, and only for tokens that `review` allows. Default: HTTP, for every client. */
  readonly secure?: {
    readonly files: CertificateFiles;
    readonly review: (token: string) => Promise<Verdict>;
    readonly logger: Logger;
  };
}

/**
 * Serves /metrics in the Prometheus text format. All clients share one computation, which is at most a second old. Throws
 * `CONFIG_INVALID` for an address or certificate that cannot be used.
 */
export async function openMetricsServer(options: MetricsServerOptions): Promise<TelemetryServer> {
  const { bindAddress, exposition, clock, secure } = options;
  const compute = async (): Promise<Answer> => {
    const { contentType, body } = await exposition();
    return { status: 200, contentType, body: Buffer.from(body) };
  };
  const cache = new ScrapeCache(compute, { clock, maxAgeMs: SCRAPE_MS });
  const metrics = async (): Promise<Answer> => cache.get();
  if (secure === undefined) return await open(bindAddress, { '/metrics': metrics });
  const gate = new TokenGate({ review: secure.review, clock });
  const routes: Routes = {
    '/metrics': async ({ headers, socket }) => {
      const verdict = await gate.ask(headers.authorization, socket.remoteAddress ?? '');
      return verdict === 'allowed' ? metrics() : REFUSALS[verdict];
    },
  };
  return await openSecure(bindAddress, routes, { ...secure, clock });
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
}

type Routes = Readonly<Record<string, (request: IncomingMessage) => Answer | Promise<Answer>>>;

function text(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function answerOf(checks: Checks): Answer {
  const failed = Object.keys(checks).filter((name) => checks[name]?.() !== true);
  return failed.length === 0
    ? text(200, 'ok')
    : text(503, failed.map((name) => `${name}: failed`).join('\n'));
}

const REFUSALS = {
  unauthenticated: text(401, 'unauthorized'),
  forbidden: text(403, 'forbidden'),
  busy: text(429, 'another token of this client is being reviewed'),
} as const;

async function open(bindAddress: string, routes: Routes): Promise<TelemetryServer> {
  const server = createServer(LIMITS);
  return await listen(server, bindAddress, routes);
}

async function openSecure(
  bindAddress: string,
  routes: Routes,
  {
    files,
    clock,
    logger,
  }: { readonly files: CertificateFiles; readonly clock: Clock; readonly logger: Logger },
): Promise<TelemetryServer> {
  const pair = await readPair(files);
  const server = createTlsServer({ ...LIMITS, ...pair, minVersion: 'TLSv1.2', handshakeTimeout: REQUEST_MS });
  const listening = await listen(server, bindAddress, routes);
  const stop = new AbortController();
  const use = (next: typeof pair): void => server.setSecureContext({ ...next, minVersion: 'TLSv1.2' });
  const following = followPair(files, pair, { use, clock, logger, signal: stop.signal });
  return {
    ...listening,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
      await listening[Symbol.asyncDispose]();
    },
  };
}

async function listen(server: Server, bindAddress: string, routes: Routes): Promise<TelemetryServer> {
  const connections = new Connections(MAX_CONNECTIONS);
  server.maxRequestsPerSocket = MAX_REQUESTS_OF_CONNECTION;
  server.setTimeout(SILENCE_MS, (socket) => socket.destroy());
  server.on('connection', (socket) => connections.add(socket));
  server.on('request', (request, response) => {
    const end = connections.serve(request.socket);
    response.once('close', end);
    void respond(routes, request, response);
  });
  server.listen(parseBindAddress(bindAddress));
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new OperatorError('CONFIG_INVALID', {
      op: 'telemetry.listen',
      target: bindAddress,
      detail: 'The process cannot listen on the address.',
      cause,
    });
  }
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new OperatorError('INVARIANT', { op: 'telemetry.listen', target: bindAddress });
  }
  return {
    host: address.address,
    port: address.port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      connections.destroyAll();
      await closed;
    },
  };
}

async function respond(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = await answerTo(routes, request);
  response.writeHead(answer.status, { 'content-type': answer.contentType, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function answerTo(routes: Routes, request: IncomingMessage): Promise<Answer> {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return text(404, 'not found');
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'method not allowed');
  try {
    return await route(request);
  } catch {
    return text(500, 'failed');
  }
}

/** `:8081` → every address of the machine, `127.0.0.1:0`, `[::1]:8081`. Throws `CONFIG_INVALID`. */
export function parseBindAddress(bindAddress: string): { readonly host?: string; readonly port: number } {
  const match = /^(?<host>[^[\]:]*|\[[^[\]]+\]):(?<port>[0-9]{1,5})$/.exec(bindAddress)?.groups;
  const port = Number(match?.['port']);
  if (match === undefined || port > 65_535) {
    throw new OperatorError('CONFIG_INVALID', {
      op: 'telemetry.listen',
      target: bindAddress,
      detail: 'An address must be host:port or :port.',
    });
  }
  const host = match['host']?.replace(/^\[|\]$/g, '') ?? '';
  return host === '' ? { port } : { host, port };
}
