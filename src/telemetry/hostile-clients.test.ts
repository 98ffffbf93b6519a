import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { openHealthServer, openMetricsServer, type TelemetryServer } from './server.ts';

/** Real sockets: what is tested is what the kernel and Node do with them. */
const ANY = '127.0.0.1:0';
const MAX_CONNECTIONS = 100;
const sockets: Socket[] = [];
const servers: TelemetryServer[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function health(): Promise<TelemetryServer> {
  const server = await openHealthServer({ bindAddress: ANY, live: {}, ready: {} });
  servers.push(server);
  return server;
}

/** A connection that has sent `text` so far. */
async function connectionTo({ port }: TelemetryServer, text: string, from = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from });
  sockets.push(socket);
  socket.on('error', () => undefined); // A reset is how the server pushes it out.
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return socket;
}

async function connectionsTo(
  server: TelemetryServer,
  count: number,
  text: string,
): Promise<readonly Socket[]> {
  const opened: Socket[] = [];
  // In steps: a burst of more than the backlog of the kernel would wait for its own retries.
  while (opened.length < count) {
    const step = Array.from({ length: 50 }, async () => connectionTo(server, text));
    opened.push(...(await Promise.all(step)));
  }
  return opened;
}

function openAmong(all: readonly Socket[]): number {
  for (const socket of all) socket.resume(); // Reads on, so that it sees its end.
  return all.filter((socket) => !socket.closed).length;
}

/** The rest of what the server sends on this connection. */
async function replyOn(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, 'close');
  return text;
}

describe('the health server', () => {
  it.each([
    ['say nothing', ''],
    ['stop in the middle of their headers', 'GET /healthz HTTP/1.1\r\nhost: a\r\nx'],
    ['keep their connection after a reply', 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n'],
  ])('replies to a new client while 1,000 others %s', async (_what, text) => {
    const server = await health();
    const others = await connectionsTo(server, 1000, text);
    const reply = await fetch(`http://127.0.0.1:${server.port}/healthz`);
    expect([reply.status, await reply.text()]).toEqual([200, 'ok\n']);
    const few = (): boolean => openAmong(others) <= MAX_CONNECTIONS;
    await eventually('the server holds few connections', () => Promise.resolve(few()), { deadlineMs: 4000 });
  });

  it('pushes out the connections of the client that has the most, and no other', async () => {
    const server = await health();
    const kubelet = await connectionTo(server, 'GET /healthz HTTP/1.1\r\nhost: a\r\n', '127.0.0.2');
    await connectionsTo(server, 300, 'GET /healthz HTTP/1.1\r\n');
    const reply = replyOn(kubelet);
    kubelet.write('connection: close\r\n\r\n');
    expect(await reply).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*ok\n/);
  });

  it('refuses headers of more than 16 KiB', async () => {
    const server = await health();
    const socket = await connectionTo(server, `GET /healthz HTTP/1.1\r\nx: ${'x'.repeat(16_384)}\r\n\r\n`);
    expect(await replyOn(socket)).toContain('431');
  });

  it('serves a hundred requests of a connection, however many are sent at once', async () => {
    const server = await health();
    const socket = await connectionTo(server, 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(120));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const replies = (status: number): number => text.split(`HTTP/1.1 ${status} `).length - 1;
    await eventually('all have a reply', () => Promise.resolve(replies(200) + replies(503) === 120));
    expect(replies(200)).toBe(100);
  });

  it('ends a request whose headers take more than five seconds', { timeout: 15_000 }, async () => {
    const server = await health();
    const socket = await connectionTo(server, 'GET /healthz HTTP/1.1\r\nhost: a\r\nx: ');
    const drip = setInterval(() => socket.write('x'), 500);
    try {
      expect(await replyOn(socket)).toContain('408');
    } finally {
      clearInterval(drip);
    }
  });

  it('closes at once, whatever half-open connections there are', async () => {
    const server = await openHealthServer({ bindAddress: ANY, live: {}, ready: {} });
    await connectionsTo(server, 50, '');
    await server[Symbol.asyncDispose]();
    await expect(fetch(`http://127.0.0.1:${server.port}/healthz`)).rejects.toThrow();
  });
});

describe('the metrics server', () => {
  it('computes once for thirty clients in a loop, and again after a second', async () => {
    const clock = new ManualClock();
    let computed = 0;
    const exposition = () => {
      computed += 1;
      return Promise.resolve({ contentType: 'text/plain', body: `${computed}\n` });
    };
    const server = await openMetricsServer({ bindAddress: ANY, clock, exposition });
    servers.push(server);
    const scrapes = async (): Promise<ReadonlySet<string>> => {
      const url = `http://127.0.0.1:${server.port}/metrics`;
      const all = Array.from({ length: 30 }, async () => (await fetch(url)).text());
      return new Set(await Promise.all(all));
    };
    expect(await scrapes()).toEqual(new Set(['1\n']));
    await clock.advance(999);
    expect(await scrapes()).toEqual(new Set(['1\n']));
    await clock.advance(1);
    expect(await scrapes()).toEqual(new Set(['2\n']));
  });

  it('shares a failure in the same way', async () => {
    let computed = 0;
    const exposition = () => {
      computed += 1;
      return Promise.reject(new Error('broken'));
    };
    const server = await openMetricsServer({ bindAddress: ANY, clock: new ManualClock(), exposition });
    servers.push(server);
    for (let scrape = 0; scrape < 3; scrape += 1) {
      expect((await fetch(`http://127.0.0.1:${server.port}/metrics`)).status).toBe(500);
    }
    expect(computed).toBe(1);
  });
});
