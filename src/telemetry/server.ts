import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { OperatorError } from '#src/errors.ts';
import type { Exposition } from './metrics.ts';

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
}

/** Serves /metrics in the Prometheus text format. */
export async function openMetricsServer(options: MetricsServerOptions): Promise<TelemetryServer> {
  return await open(options.bindAddress, {
    '/metrics': async () => ({ status: 200, ...(await options.exposition()) }),
  });
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

type Routes = Readonly<Record<string, () => Answer | Promise<Answer>>>;

function text(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function answerOf(checks: Checks): Answer {
  const failed = Object.keys(checks).filter((name) => checks[name]?.() !== true);
  return failed.length === 0
    ? text(200, 'ok')
    : text(503, failed.map((name) => `${name}: failed`).join('\n'));
}

async function open(bindAddress: string, routes: Routes): Promise<TelemetryServer> {
  const server = createServer((request, response) => void respond(routes, request, response));
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
    return await route();
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
