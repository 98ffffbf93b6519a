import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import type { KubeConnection } from '#src/kube/config.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { createAuthority, issueCertificate, type PemPair } from '#test/cluster/pki.ts';
import { collect } from '#test/support/collect.ts';
import { settle } from '#test/support/manual-clock.ts';
import { RecordedMetrics } from '#test/support/recorded.ts';
import { clientOf } from './real-client.ts';

/** Faults that a real API server cannot be made to produce on demand, over real TLS. */
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const NEVER = new AbortController().signal;

let authority: PemPair;
let otherAuthority: PemPair;
let server: Server;
let client: HttpKubeClient;
let metrics: RecordedMetrics;
let ca: string;
let tokens: string[];
let handle: Handler;
let seen: {
  readonly method: string | undefined;
  readonly authorization: string | undefined;
  readonly port: number | undefined;
}[];

beforeAll(async () => {
  [authority, otherAuthority] = await Promise.all([createAuthority('one'), createAuthority('other')]);
});

beforeEach(async () => {
  seen = [];
  tokens = ['token-1'];
  ca = authority.certificate;
  metrics = new RecordedMetrics();
  await listen(authority);
  client = clientOf(connection(), { metrics });
});

afterEach(async () => {
  await client[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function listen(signer: PemPair, port = 0): Promise<void> {
  const pair = await issueCertificate(signer, {
    commonName: 'api',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  });
  server = createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
    seen.push({
      method: request.method,
      authorization: request.headers.authorization,
      port: request.socket.remotePort,
    });
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
}

const host = (): string => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return `127.0.0.1:${address.port}`;
};

const connection = (): KubeConnection => ({
  server: new URL(`https://${host()}`),
  namespace: 'ns',
  tls: async () => ({ ca }),
  authorization: async () => `Bearer ${tokens[0] ?? ''}`,
  forgetAuthorization: () => void tokens.shift(),
});

const ask = async (request: Partial<KubeRequest> = {}): Promise<unknown> =>
  await client.request({
    method: 'GET',
    path: '/version',
    op: 'test',
    target: 'Thing',
    signal: new AbortController().signal,
    ...(request.method === undefined || request.method === 'GET' ? {} : { body: { a: 1 } }),
    ...request,
  });

const reply =
  (status: number, body: string, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body);

/** The n-th request gets the n-th handler, later ones the last. */
const inTurn =
  (...handlers: readonly Handler[]): Handler =>
  (request, response) =>
    handlers[Math.min(seen.length, handlers.length) - 1]?.(request, response);

describe('the transport, when things go wrong', () => {
  describeRepeating();
  describeMandate();
  describeReplies();
  describeConnections();
});

function describeMandate(): void {
  const lost = new OperatorError('LEASE_LOST', { op: 'test' });
  let isHeld: boolean;

  beforeEach(async () => {
    isHeld = true;
    await client[Symbol.asyncDispose]();
    const assertHeld = (): void => {
      if (!isHeld) throw lost;
    };
    client = clientOf(connection(), { metrics, connections: 1, mandate: { assertHeld } });
  });

  test('a change needs the mandate; a read, a question and the lease itself do not', async () => {
    handle = reply(200, '{"ok":true}');
    await ask({ method: 'POST' });
    isHeld = false;
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
      await expect(ask({ method })).rejects.toBe(lost);
    await ask({ method: 'GET' });
    await ask({ method: 'PUT', pool: 'lease' });
    await ask({ method: 'POST', onlyAsks: true });
    expect(seen.map(({ method }) => method)).toEqual(['POST', 'GET', 'PUT', 'POST']);
    isHeld = true;
    expect(await ask({ method: 'PATCH' })).toEqual({ ok: true });
  });

  test('a change that waited for a connection is asked for it as it is sent, not before', async () => {
    const answered = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    handle = (request, response) => {
      arrived.resolve();
      void answered.promise.then(() => reply(200, '{}')(request, response));
    };
    const first = ask({ method: 'GET' });
    await arrived.promise;
    const waiting = ask({ method: 'DELETE' });
    const refused = expect(waiting).rejects.toBe(lost);
    await settle(); // It has what it needs but a connection.
    isHeld = false;
    answered.resolve();
    await Promise.all([first, refused]);
    expect(seen.map(({ method }) => method)).toEqual(['GET']);
  });

  test('a client that was closed sends nothing and opens no connection again', async () => {
    handle = reply(200, '{}');
    await ask();
    await client[Symbol.asyncDispose]();
    for (const method of ['GET', 'PATCH'] as const)
      await expect(ask({ method })).rejects.toMatchObject({ code: 'BACKEND_NOT_READY' });
    const watching = collect(
      client.watch({ path: '/w', query: {}, op: 'w', target: 'w', idleTimeoutMs: 100, signal: NEVER }),
    );
    await expect(watching).rejects.toMatchObject({ code: 'BACKEND_NOT_READY' });
    expect(seen.length).toBe(1);
  });
}

function describeRepeating(): void {
  test.each(['GET', 'PATCH'] as const)(
    'a %s that is told to slow down is repeated when it may',
    async (method) => {
      handle = inTurn(reply(429, 'slow down', { 'retry-after': '1' }), reply(200, '{"ok":true}'));
      const before = performance.now();
      expect(await ask({ method })).toEqual({ ok: true });
      expect(performance.now() - before).toBeGreaterThan(950);
      expect(metrics.value('rest_client_requests_total', { code: '429', method, host: host() })).toBe(1);
      expect(metrics.value('rest_client_requests_total', { code: '200', method, host: host() })).toBe(1);
    },
  );

  test('a wait that the deadline has no room for is left to the caller', async () => {
    handle = reply(429, '', { 'retry-after': '60' });
    await expect(ask()).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 60_000 });
    expect(seen).toHaveLength(1);
  });

  test('a write is not repeated after 503, since it may have been applied', async () => {
    handle = reply(503, '', { 'retry-after': '0' });
    await expect(ask({ method: 'POST' })).rejects.toMatchObject({
      code: 'SERVER_ERROR',
      indeterminate: true,
    });
    expect(seen).toHaveLength(1);
  });

  test('a lost reply: the read is repeated, the write is indeterminate', async () => {
    const lose: Handler = (request) => request.socket.destroy();
    handle = inTurn(lose, reply(200, '{}'));
    expect(await ask()).toEqual({});
    seen = [];
    handle = lose;
    await expect(ask({ method: 'PUT' })).rejects.toMatchObject({
      code: 'BACKEND_UNREACHABLE',
      indeterminate: true,
    });
    expect(seen).toHaveLength(1);
  });

  test('no server: BACKEND_UNREACHABLE, and a write was certainly not applied', async () => {
    const address = host();
    server.close();
    await expect(ask({ method: 'PUT' })).rejects.toMatchObject({
      code: 'BACKEND_UNREACHABLE',
      indeterminate: false,
    });
    expect(
      metrics.value('rest_client_requests_total', { code: '<error>', method: 'PUT', host: address }),
    ).toBe(4);
  });

  test('a token that is refused is read again once', async () => {
    tokens = ['old', 'new'];
    handle = (request, response) =>
      reply(request.headers.authorization === 'Bearer new' ? 200 : 401, '{}')(request, response);
    expect(await ask({ method: 'POST' })).toEqual({});
    expect(seen.map((request) => request.authorization)).toEqual(['Bearer old', 'Bearer new']);
    tokens = ['old', 'older'];
    await expect(ask()).rejects.toMatchObject({ code: 'AUTH_DENIED', status: 401 });
  });
}

function describeReplies(): void {
  test('a silent server: DEADLINE after the time-out, however often, and the next request gets through', async () => {
    handle = () => undefined;
    for (let round = 0; round < 3; round += 1) {
      await expect(ask({ method: 'PUT', timeoutMs: 100 })).rejects.toMatchObject({
        code: 'DEADLINE',
        indeterminate: true,
      });
    }
    handle = reply(200, '{}');
    expect(await ask()).toEqual({});
  });

  test('the caller’s abort comes back untouched', async () => {
    handle = () => undefined;
    const stop = new AbortController();
    const reason = new Error('enough');
    const asked = ask({ signal: stop.signal });
    stop.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });

  test.each([
    ['a page of a proxy', '<html>hunter2</html>'],
    ['a truncated object', '{"data":{"password":"hunter2"'],
    ['invalid UTF-8', '\u00ff'],
  ])('%s instead of JSON is REPLY_INVALID and is not quoted', async (_what, body) => {
    handle = (_request, response) => void response.writeHead(200).end(Buffer.from(body, 'latin1'));
    const error = await ask({ method: 'PUT' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'REPLY_INVALID', indeterminate: true });
    expect(inspect(error)).not.toContain('hunter2');
  });

  test('a reply above the limit is refused', async () => {
    await client[Symbol.asyncDispose]();
    client = clientOf(connection(), { maxReplyBytes: 1_000 });
    handle = reply(200, JSON.stringify('x'.repeat(2_000)));
    await expect(ask()).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
  });
}

function describeConnections(): void {
  test('a server with another server’s certificate gets no request', async () => {
    ca = otherAuthority.certificate;
    handle = reply(200, '{}');
    await expect(ask({ method: 'PUT' })).rejects.toMatchObject({ code: 'TLS_FAILED', indeterminate: false });
    expect(seen).toEqual([]);
  });

  test('a rotated CA is used for the next request', async () => {
    handle = reply(200, '{}');
    ca = otherAuthority.certificate;
    await expect(ask()).rejects.toMatchObject({ code: 'TLS_FAILED' });
    ca = authority.certificate;
    for (let request = 0; request < 10; request += 1) expect(await ask()).toEqual({});
    // The new connections are kept: undici uses one or two for requests in sequence.
    expect(new Set(seen.map((request) => request.port)).size).toBeLessThanOrEqual(2);
  });

  test('a watch that falls silent is DEADLINE, one that is cut is BACKEND_UNREACHABLE, one that ends just ends', async () => {
    const event = '{"type":"ADDED","object":{"a":1}}\n';
    const watch = async (idleTimeoutMs: number): Promise<unknown[]> => {
      const events: unknown[] = [];
      const signal = new AbortController().signal;
      for await (const each of client.watch({
        path: '/w',
        query: {},
        op: 'test',
        target: 'Thing',
        idleTimeoutMs,
        signal,
      })) {
        events.push(each);
      }
      return events;
    };
    handle = (_request, response) => void response.writeHead(200).write(event);
    await expect(watch(200)).rejects.toMatchObject({ code: 'DEADLINE' });
    handle = (request, response) => void response.writeHead(200).write(event, () => request.socket.destroy());
    await expect(watch(5_000)).rejects.toMatchObject({ code: 'BACKEND_UNREACHABLE' });
    handle = reply(200, event);
    expect(await watch(5_000)).toEqual([{ type: 'ADDED', object: { a: 1 } }]);
    handle = reply(410, '{"kind":"Status","code":410,"reason":"Expired"}');
    await expect(watch(5_000)).rejects.toMatchObject({ code: 'WATCH_EXPIRED' });
  });

  test('says who it is', async () => {
    let agent: string | undefined;
    handle = (request, response) => {
      agent = request.headers['user-agent'];
      reply(200, '{}')(request, response);
    };
    await ask();
    expect(agent).toBe('keyferry/test');
  });
}
