import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { explain } from '#src/errors/explain.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { HostileKv } from '#test/support/hostile-kv.ts';
import { RecordedMetrics } from '#test/support/recorded.ts';
import type { Driver } from '../driver.ts';
import { BackendRegistry, type OpenBackend } from '../registry.ts';

/*
 * A server of a tenant that lists names without an end.
 */

const { signal } = new AbortController();

let server: HostileKv;
let backend: OpenBackend;
let driver: Driver;

beforeAll(async () => {
  server = await HostileKv.start();
  const guard = { clock: systemClock, random: Math.random, metrics: new RecordedMetrics() };
  backend = new BackendRegistry([server.factory], { guard }).open(server.backendOf('a'));
  driver = backend.for('a', {
    migration: { namespace: 'a', name: 'm', uid: 'u' },
    backend: { kind: 'SecretBackend', namespace: 'a', name: 'bao' },
  });
});

beforeEach(() => server.reset());

afterAll(async () => {
  await backend[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const page = (nameOf: (index: number) => string): string =>
  JSON.stringify({ data: { keys: Array.from({ length: 1_000 }, (_, index) => nameOf(index)) } });

/** Lists until it fails. */
async function failureOf(folder: string): Promise<{ readonly listed: number; readonly failure: unknown }> {
  let listed = 0;
  try {
    for await (const _listed of driver.list({ folder }, signal)) listed += 1;
  } catch (failure) {
    return { listed, failure };
  }
  throw new Error('the listing ended');
}

describe('a listing of a server that invents names', { timeout: 30_000 }, () => {
  it('which rise without an end ends with the numbers', async () => {
    let next = 1_000_000;
    server.reply = ({ pathname }) =>
      pathname === '/v1/kv/metadata' ? page(() => `n${(next += 1)}`) : undefined;
    const { failure, listed } = await failureOf('');
    expect(failure).toMatchObject({ code: 'SELECTION_TOO_LARGE', disposition: 'stalled' });
    expect(listed).toBe(110_000);
    expect(explain(failure)).toContain(
      'the limit of 110000 names, after 110001 names and 0 folders in 111 pages.',
    );
  });

  it('of a thousand folders in each of its folders ends with the numbers', async () => {
    server.reply = ({ pathname, searchParams }) =>
      pathname.startsWith('/v1/kv/metadata') && !searchParams.has('after')
        ? page((index) => `f${1_000 + index}/`)
        : undefined;
    const { failure } = await failureOf('');
    expect(failure).toMatchObject({ code: 'SELECTION_TOO_LARGE' });
    // Folders below the 16th level are problems, which count as names.
    expect(explain(failure)).toMatch(/the limit of 110000 names, after 110001 names and \d+ folders/);
    expect(server.seen.length).toBeLessThan(1_000);
  });

  it('of folders, without an end, ends with the numbers', async () => {
    let next = 1_000_000;
    server.reply = ({ pathname }) =>
      pathname === '/v1/kv/metadata' ? page(() => `f${(next += 1)}/`) : undefined;
    const { failure, listed } = await failureOf('');
    expect(listed).toBe(0);
    expect(explain(failure)).toContain(
      'the limit of 100000 folders, after 0 names and 100001 folders in 101 pages.',
    );
  });

  it('of the greatest length ends with the numbers', async () => {
    let next = 1_000_000;
    const folder = Array.from({ length: 3 }, () => 'f'.repeat(500)).join('/');
    server.reply = ({ pathname }) =>
      pathname.startsWith('/v1/kv/metadata') ? page(() => `${'n'.repeat(490)}${(next += 1)}`) : undefined;
    const { failure } = await failureOf(folder);
    expect(failure).toMatchObject({ code: 'SELECTION_TOO_LARGE' });
    expect(explain(failure)).toContain('characters of names and labels');
  });
});
