import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { PrometheusMetrics } from './metrics.ts';
import { openHealthServer, openMetricsServer, parseBindAddress } from './server.ts';
import type { Checks, TelemetryServer } from './server.ts';

const ANY = '127.0.0.1:0';
const opened: TelemetryServer[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server[Symbol.asyncDispose]();
});

function keep(server: TelemetryServer): TelemetryServer {
  opened.push(server);
  return server;
}

async function get(server: TelemetryServer, path: string, method = 'GET') {
  const reply = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return { status: reply.status, type: reply.headers.get('content-type'), body: await reply.text() };
}

async function health(live: Checks, ready: Checks): Promise<TelemetryServer> {
  return keep(await openHealthServer({ bindAddress: ANY, live, ready }));
}

describe('openHealthServer', () => {
  it('replies 200 while every check passes', async () => {
    const server = await health({}, { caches: () => true });
    expect(await get(server, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await get(server, '/readyz')).toMatchObject({ status: 200, body: 'ok\n' });
  });

  it('replies 503 with the names of the failed checks, and runs the checks again each time', async () => {
    let filled = false;
    const server = await health({}, { secrets: () => filled, backends: () => true });
    expect(await get(server, '/readyz')).toMatchObject({ status: 503, body: 'secrets: failed\n' });
    expect(await get(server, '/healthz')).toMatchObject({ status: 200 });
    filled = true;
    expect(await get(server, '/readyz?verbose')).toMatchObject({ status: 200 });
  });

  it('serves no other path and no other method', async () => {
    const server = await health({}, {});
    expect((await get(server, '/metrics')).status).toBe(404);
    expect((await get(server, '/toString')).status).toBe(404);
    expect((await get(server, '/healthz', 'POST')).status).toBe(405);
    expect(await get(server, '/healthz', 'HEAD')).toMatchObject({ status: 200, body: '' });
  });

  it('reports its actual port', async () => {
    const server = await health({}, {});
    expect(server.port).toBeGreaterThan(0);
    expect(server.host).toBe('127.0.0.1');
  });

  it('fails with CONFIG_INVALID when the port is taken', async () => {
    const { port } = await health({}, {});
    await expect(
      openHealthServer({ bindAddress: `127.0.0.1:${port}`, live: {}, ready: {} }),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID', target: `127.0.0.1:${port}` });
  });

  it('closes immediately, although a client keeps its connection open', async () => {
    const server = await openHealthServer({ bindAddress: ANY, live: {}, ready: {} });
    await get(server, '/healthz');
    await server[Symbol.asyncDispose]();
    await expect(get(server, '/healthz')).rejects.toThrow();
  });
});

describe('openMetricsServer', () => {
  it('serves the content of the registry', async () => {
    const metrics = new PrometheusMetrics();
    metrics.count('keyferry_events_total', {}, 0);
    const server = keep(
      await openMetricsServer({
        bindAddress: ANY,
        clock: new ManualClock(),
        exposition: () => metrics.exposition(),
      }),
    );
    const reply = await get(server, '/metrics');
    expect(reply).toMatchObject({ status: 200, type: expect.stringContaining('version=0.0.4') });
    expect(reply.body).toContain('keyferry_events_total 0\n');
  });

  it('replies 500 without any detail when the exposition fails', async () => {
    const exposition = () => Promise.reject(new Error('hunter2'));
    const server = keep(await openMetricsServer({ bindAddress: ANY, clock: new ManualClock(), exposition }));
    expect(await get(server, '/metrics')).toMatchObject({ status: 500, body: 'failed\n' });
  });
});

describe('parseBindAddress', () => {
  it.each([
    [':8081', { port: 8081 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['localhost:65535', { host: 'localhost', port: 65_535 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
  ])('reads %s', (address, expected) => {
    expect(parseBindAddress(address)).toEqual(expected);
  });

  it.each(['', '8080', ':', ':65536', '::1:8080', '[]:1', 'host:'])('refuses %j', (address) => {
    expect(() => parseBindAddress(address)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
