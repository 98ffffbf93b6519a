import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { useArena } from './arena.ts';

/*
 * What a tenant does with own objects and honest servers, and what a neighbor in the network does to the ports.
 */

const arena = useArena();

/** Runs the work for each number, a few at a time, as a user with a script does. */
async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: 24 }, worker));
}

describe('one namespace', () => {
  it('with eight hundred trivial migrations does not starve the others', async () => {
    await arena().survives(async (attack) => {
      const tenant = await attack.tenant();
      await inParallel(800, async (index) => tenant.apply(aMigration(`trivial-${index}`, NOTHING)));
    });
  });

  it('with a pattern of twelve parts does not stop the operator', async () => {
    await arena().survives(async (attack) => {
      const tenant = await attack.tenant();
      await tenant.apply(aSecret('x'.repeat(120), { key: 'of no worth' }));
      const parts = Array.from({ length: 12 }, (_, index) => `{p${index}}`);
      const pattern = { from: `${parts.join('x')}y`, to: `${parts.join('x')}z` };
      const wasAccepted = await attack.dare(
        tenant,
        aMigration('pattern', { mapping: { path: '{namespace}/{name}', patterns: [pattern] } }),
      );
      if (wasAccepted) await tenant.untilReady('pattern', {}, 5000).catch(() => undefined);
    });
  });

  it('with three hundred Secrets of 255 KB of annotations does not keep the operator from its start', async () => {
    await arena().survives(async (attack) => {
      const tenant = await attack.tenant();
      const annotations = { note: 'n'.repeat(255 * 1024) };
      // Not by apply, which would store each of them twice, as the owner of its fields.
      await inParallel(300, async (index) => {
        const secret = aSecret(`large-${index}`, { key: 'of no worth' }, { annotations });
        await tenant.cluster.kube('POST', `/api/v1/namespaces/${tenant.namespace}/secrets`, secret);
      });
      await arena().restart();
    });
  });
});

const NOTHING = { select: { names: ['absent'] } };

/** As many open files as a process has by default: a container can allow more, but no number is enough. */
function limitOpenFiles(pid: number): void {
  if (process.platform === 'linux') execFileSync('prlimit', ['--nofile=1024:1024', '--pid', String(pid)]);
}

/** Connections that send half a request and wait. */
async function halfOpen(url: string, count: number): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined); // A server that refuses or ends it does well.
    socket.on('connect', () => socket.write('GET /healthz HTTP/1.1\r\nx-'));
    return socket;
  });
  const opened = async (socket: Socket): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('connect', () => resolve()).once('close', () => resolve());
    if (!socket.connecting) resolve();
    await promise;
  };
  await Promise.all(sockets.map(opened));
  return sockets;
}

/** Asks for the metrics again and again, on so many connections. */
function scrapeInALoop(url: string, count: number): () => Promise<void> {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await (await request(url, { signal: stop.signal })).body.dump();
      } catch {
        // Refused or cut off: it tries again, unless it was stopped.
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
    }
  };
  const loops = Array.from({ length: count }, loop);
  return async () => {
    stop.abort();
    await Promise.all(loops);
  };
}

async function suspendedMigrations(tenant: Tenant, count: number): Promise<void> {
  await inParallel(count, async (index) =>
    tenant.apply(aMigration(`suspended-${index}`, { ...NOTHING, suspend: true })),
  );
}

describe('a neighbor in the network', () => {
  it('who scrapes the metrics in thirty loops does not delay the health check', async () => {
    await arena().survives(
      async (attack) => {
        await suspendedMigrations(await attack.tenant(), 300);
        attack.onEnd(scrapeInALoop(arena().operator.metricsUrl, 30));
      },
      async () => {
        expect(await slowestHealthMs(20)).toBeLessThan(1000);
      },
    );
  });

  it('who holds three thousand half-open connections does not silence the health check', async () => {
    await arena().survives(
      async (attack) => {
        limitOpenFiles(arena().operator.pid);
        const sockets = await halfOpen(arena().operator.healthUrl, 3000);
        attack.onEnd(() => {
          for (const socket of sockets) socket.destroy();
        });
      },
      async () => {
        expect(await slowestHealthMs(20)).toBeLessThan(1000);
      },
    );
  });
});

async function slowestHealthMs(rounds: number): Promise<number> {
  let slowest = 0;
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    const reply = await request(`${arena().operator.healthUrl}/healthz`, {
      signal: AbortSignal.timeout(10_000),
    });
    await reply.body.dump();
    expect(reply.statusCode).toBe(200);
    slowest = Math.max(slowest, performance.now() - start);
  }
  return slowest;
}
