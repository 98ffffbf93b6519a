import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { Driver } from '#src/backends/driver.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { BackendRegistry } from '#src/backends/registry.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { DriverPool } from './pool.ts';

const CLOSED = { code: 'BACKEND_NOT_READY', op: expect.stringMatching(/^backend\./) };

const migration = { namespace: 'ns', name: 'm', uid: 'u' };

function aBackend(generation: number, namespace = 'ns'): SecretBackend {
  const parsed = parseSecretBackend({
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name: 'a', namespace, uid: 'of-a', generation, resourceVersion: '1' },
    spec: { type: 'kubernetes', kubernetes: {} },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

/** A pool, and what became of the drivers that it made. */
function aPool() {
  const events: string[] = [];
  let made = 0;
  const create = (): Driver => {
    made += 1;
    const name = `driver ${made}`;
    events.push(`${name} made`);
    const driver: Partial<Driver> = {
      backups: undefined,
      projections: undefined,
      [Symbol.asyncDispose]: async () => Promise.resolve(void events.push(`${name} closed`)),
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a question that is not expected fails loudly
    return driver as Driver;
  };
  const metrics = {
    count: () => undefined,
    observe: () => undefined,
    gauge: () => undefined,
  };
  const guard = { clock: systemClock, random: Math.random, metrics, deadlineMs: 1_000 };
  const registry = new BackendRegistry([{ kind: 'kubernetes', create }], { guard });
  return {
    pool: new DriverPool({
      registry,
      clusterResourceNamespace: 'keyferry',
      closedNamespaces: ['keyferry'],
      kinds: BACKEND_KINDS,
    }),
    events,
  };
}

describe('the pool of drivers', () => {
  it('opens no SecretBackend in a namespace whose Secrets are those of the operator', async () => {
    const { pool, events } = aPool();
    const forbidden = { code: 'CREDENTIALS_FORBIDDEN', target: 'SecretBackend keyferry/a' };
    await expect(pool.acquireWhole(aBackend(1, 'keyferry'))).rejects.toMatchObject(forbidden);
    await expect(pool.acquire(aBackend(1, 'keyferry'), migration)).rejects.toMatchObject(forbidden);
    expect(events).toEqual([]);
  });

  it('keeps one driver a generation, for all its users', async () => {
    const { pool, events } = aPool();
    await (await pool.acquire(aBackend(1), migration))[Symbol.asyncDispose]();
    await (await pool.acquireWhole(aBackend(1)))[Symbol.asyncDispose]();
    expect(events).toEqual(['driver 1 made']);
  });

  it('closes a retired driver when its last lease is released, once', async () => {
    const { pool, events } = aPool();
    const first = await pool.acquire(aBackend(1), migration);
    const second = await pool.acquire(aBackend(1), migration);
    expect(first.retired.aborted).toBe(false);
    await pool.retire('of-a', { because: 'It is gone.' });
    expect(first.retired.aborted).toBe(true);
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    expect(events).toEqual(['driver 1 made']);
    await second[Symbol.asyncDispose]();
    expect(events).toEqual(['driver 1 made', 'driver 1 closed']);
  });

  it('makes another driver for another generation, and retires the one before', async () => {
    const { pool, events } = aPool();
    const first = await pool.acquire(aBackend(1), migration);
    const [second, third] = await Promise.all([
      pool.acquire(aBackend(2), migration),
      pool.acquire(aBackend(2), migration),
    ]);
    expect([first, second, third].map(({ retired }) => retired.aborted)).toEqual([true, false, false]);
    expect(events).toEqual(['driver 1 made', 'driver 2 made']);
  });

  it('opens one driver when two ask for a new generation while the old one closes', async () => {
    const { pool, events } = aPool();
    await (await pool.acquire(aBackend(1), migration))[Symbol.asyncDispose]();
    await Promise.all([pool.acquire(aBackend(2), migration), pool.acquire(aBackend(2), migration)]);
    await pool[Symbol.asyncDispose]();
    expect(events.toSorted()).toEqual([
      'driver 1 closed',
      'driver 1 made',
      'driver 2 closed',
      'driver 2 made',
    ]);
  });

  it('refuses work through a lease that was released', async () => {
    const { pool } = aPool();
    const lease = await pool.acquire(aBackend(1), migration);
    await lease[Symbol.asyncDispose]();
    const { signal } = new AbortController();
    await expect(lease.driver.read('a', signal)).rejects.toMatchObject(CLOSED);
    await expect(lease.probe('known', signal)).rejects.toMatchObject(CLOSED);
  });

  it('closes every driver when it is closed, in use or retired, and makes none after that', async () => {
    const { pool, events } = aPool();
    const retired = await pool.acquire(aBackend(1), migration);
    const used = await pool.acquire(aBackend(2), migration);
    const late = pool.acquire(aBackend(3), migration); // It waits for the one before to be retired.
    await Promise.all([
      expect(late).rejects.toMatchObject(CLOSED),
      pool[Symbol.asyncDispose](),
      expect(pool.acquireWhole(aBackend(2))).rejects.toMatchObject(CLOSED),
    ]);
    const { signal } = new AbortController();
    for (const lease of [retired, used]) {
      expect(lease.retired.aborted).toBe(true);
      await expect(lease.driver.read('a', signal)).rejects.toMatchObject(CLOSED);
      await expect(lease.probe('now', signal)).rejects.toMatchObject(CLOSED);
      await lease[Symbol.asyncDispose]();
    }
    expect(events.toSorted()).toEqual([
      'driver 1 closed',
      'driver 1 made',
      'driver 2 closed',
      'driver 2 made',
    ]);
  });
});

describe('a lease', () => {
  it('says why it was retired, and leaves the driver of a later generation in service', async () => {
    const { pool } = aPool();
    const first = await pool.acquire(aBackend(1), migration);
    await pool.retire('of-a', { because: 'Its spec changed.', before: 1 });
    expect(first.retired.aborted).toBe(false);
    await pool.retire('of-a', { because: 'Its spec changed.', before: 2 });
    expect(first.retired.reason).toMatchObject({
      code: 'RUN_STOPPED',
      message: expect.stringContaining('Its spec changed.'),
    });
  });

  it('refuses work of a namespace that may no longer use the backend, also through a lease that exists', async () => {
    const { pool } = aPool();
    const withdrawn = await pool.acquire(aBackend(1), migration);
    const allowed = await pool.acquire(aBackend(1), { ...migration, namespace: 'other' });
    const mayUse = (namespace: string): boolean => namespace === 'other';
    await pool.retire('of-a', { because: 'Its spec changed.', before: 2, mayUse });
    expect([withdrawn, allowed].map(({ revoked }) => revoked.aborted)).toEqual([true, false]);
    const { signal } = new AbortController();
    await expect(withdrawn.driver.read('a', signal)).rejects.toMatchObject(CLOSED);
    await expect(withdrawn.probe('known', signal)).rejects.toMatchObject(CLOSED);
  });
});
