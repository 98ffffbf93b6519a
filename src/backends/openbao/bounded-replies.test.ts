import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { collect } from '#test/support/collect.ts';
import { eventually } from '#test/support/eventually.ts';
import { HostileKv } from '#test/support/hostile-kv.ts';
import type { Driver } from '../driver.ts';
import type { Listed } from '../listing.ts';

/*
 * A server of a tenant that sends far more than its API would.
 */

const MIB = 1024 * 1024;
const { signal } = new AbortController();

const BOMBS: readonly (readonly [string, string])[] = [
  ['31 MiB of small objects', `{"data":{"data":{${'"a":{},'.repeat(4.5 * MIB)}"b":{}}}}`],
  ['31 MiB of arrays in arrays', '['.repeat(31 * MIB)],
  ['2 MB of small objects', `{"data":{"data":{${'"a":{},'.repeat(280_000)}"b":{}}}}`],
  ['2 MB of arrays in arrays', '['.repeat(2_000_000)],
  ['3 MiB of one value', `{"data":{"data":{"a":"${'x'.repeat(3 * MIB)}"}}}`],
];

let server: HostileKv;
let driver: Driver;

beforeAll(async () => {
  server = await HostileKv.start();
  driver = server.factory.create(server.backendOf('a'));
});

beforeEach(() => server.reset());

afterAll(async () => {
  await driver[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

describe('a server that sends more than its API would', { timeout: 30_000 }, () => {
  it.each(BOMBS)('gets a refusal for %s as a document, and no parser sees it', async (_what, bomb) => {
    server.reply = ({ pathname }) => (pathname.startsWith('/v1/kv/data/') ? bomb : undefined);
    await expect(driver.read('a', signal)).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
  });

  it.each(BOMBS)('gets a refusal for %s as its health', async (_what, bomb) => {
    server.reply = ({ pathname }) => (pathname === '/v1/sys/health' ? bomb : undefined);
    await expect(driver.probe(signal)).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
  });

  it('does not get its content into the error', async () => {
    const planted = `["planted${'x'.repeat(3 * MIB)}"]`;
    server.reply = ({ pathname }) => (pathname.startsWith('/v1/kv/data/') ? planted : undefined);
    const failure: unknown = await driver.read('a', signal).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(OperatorError);
    expect(JSON.stringify([failure, String(failure)])).not.toContain('planted');
  });
});

describe('a server that never ends its large replies', { timeout: 30_000 }, () => {
  it('holds up no large reply to another namespace', async () => {
    const metadata = { version: 1, created_time: '2026-01-01T00:00:00Z' };
    const document = JSON.stringify({ data: { data: { a: 'x'.repeat(100_000) }, metadata } });
    let open = 0;
    const endless = (response: ServerResponse): void => {
      open += 1;
      response.write(' '.repeat(100_000));
    };
    server.reply = ({ pathname }) => {
      if (pathname === '/v1/kv/data/endless') return endless;
      return pathname === '/v1/kv/data/b' ? document : undefined;
    };
    const leaving = new AbortController();
    const stuck = Array.from({ length: 100 }, async () => driver.read('endless', leaving.signal));
    const ends = Promise.allSettled(stuck);
    await eventually('all are stuck', () => open === 100);
    await using other = server.factory.create(server.backendOf('b'));
    expect(await other.read('b', signal)).toMatchObject({ state: 'present' });
    leaving.abort(new OperatorError('LEASE_LOST', { op: 'test' }));
    expect((await ends).every(({ status }) => status === 'rejected')).toBe(true);
  });
});

describe('a page of names that is too large', { timeout: 30_000 }, () => {
  const names = Array.from({ length: 3_000 }, (_, index) => `${'n'.repeat(480)}${1_000_000 + index}`);
  /** Six bytes for one, as Go writes some characters: 1,000 of them are 2.9 MiB. */
  const escaped = names.map((name) => `"${name.replaceAll('n', String.raw`\u006e`)}"`);

  function pageOf(first: number, limit: number): string | undefined {
    const page = escaped.slice(first, first + limit);
    return page.length === 0 ? undefined : `{"data":{"keys":[${page.join(',')}]}}`;
  }

  it('is requested again with fewer names, where the server pages', async () => {
    server.reply = ({ pathname, searchParams }) => {
      if (pathname !== '/v1/kv/metadata') return undefined;
      const after = searchParams.get('after') ?? '';
      const first = names.findIndex((name) => name > after);
      return first < 0 ? undefined : pageOf(first, Number(searchParams.get('limit')));
    };
    const listed: readonly Listed[] = await collect(driver.list({ folder: '' }, signal));
    expect(listed.map(({ address }) => address)).toEqual(names);
    expect(server.seen.filter((url) => url.includes('limit=10000'))).toHaveLength(1);
  });

  it('is requested as a whole folder, where the server ignores pages', async () => {
    server.reply = ({ pathname }) => (pathname === '/v1/kv/metadata' ? pageOf(0, 2_000) : undefined);
    const listed = await collect(driver.list({ folder: '' }, signal));
    expect(listed).toHaveLength(2_000);
    expect(server.seen.filter((url) => url.startsWith('/v1/kv/metadata'))).toHaveLength(6);
  });

  it('has a limit as a whole folder', async () => {
    server.reply = ({ pathname }) => (pathname === '/v1/kv/metadata' ? pageOf(0, 3_000) : undefined);
    await expect(collect(driver.list({ folder: '' }, signal))).rejects.toMatchObject({
      code: 'SELECTION_TOO_LARGE',
    });
  });
});
