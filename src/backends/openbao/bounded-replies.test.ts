import { createServer, type Server, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { collect } from '#test/support/collect.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Driver, Listed } from '../driver.ts';
import { OpenBaoFactory } from './factory.ts';
import { OpenBaoSpecSchema } from './spec.ts';
import { OWN_MACHINE } from '#test/support/own-machine.ts';

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

/** The start of a large reply that never ends. */
const ENDLESS = 'endless';

let server: Server;
let driver: Driver;
/** What the server replies; undefined: what an honest one would. */
let reply: (path: string, url: URL) => string | undefined;
let seen: string[];

const LOOKUP = JSON.stringify({ data: { ttl: 0, expire_time: null, renewable: false } });

function answer(url: URL, response: ServerResponse): void {
  const body = reply(url.pathname, url) ?? (url.pathname.endsWith('/lookup-self') ? LOOKUP : undefined);
  response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.on('error', () => undefined); // The client closes what it does not want to read.
  if (body === ENDLESS) {
    response.write(' '.repeat(100_000));
    open.push(response);
  } else response.end(body ?? '{"errors":[]}');
}

let factory: OpenBaoFactory;
/** Replies without an end, which the server keeps open. */
let open: ServerResponse[];

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://server');
    seen.push(`${url.pathname}${url.search}`);
    answer(url, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  factory = new OpenBaoFactory({
    credentialsFor: () => ({
      readSecretKey: async () => Promise.resolve(SecretValue.fromUtf8('token')),
      requestToken: async () => Promise.reject(new Error('not asked for')),
      login: async (_path, next) => next(),
    }),
    connectRules: OWN_MACHINE,
    mandate: ALWAYS_HELD,
    clock: systemClock,
    random: Math.random,
    userAgent: 'keyferry/test',
    allowInsecureHttp: true,
  });
  driver = driverOf('a');
});

/** A SecretBackend of this namespace. */
function driverOf(namespace: string): Driver {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const openbao = OpenBaoSpecSchema.parse({
    address: `http://127.0.0.1:${port}`,
    mount: 'kv',
    auth: { token: { secretRef: { name: 'token', key: 'token' } } },
    maxInFlight: 128,
  });
  return factory.create({
    title: `SecretBackend ${namespace}/bao`,
    backend: { kind: 'SecretBackend', namespace: 'n', name: 'bao' },
    spec: { type: 'openbao', openbao },
    credentialsNamespace: namespace,
    tenant: namespace,
  });
}

beforeEach(() => {
  reply = () => undefined;
  seen = [];
  open = [];
});

afterAll(async () => {
  await driver[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('a server that sends more than its API would', () => {
  it.each(BOMBS)('gets a refusal for %s as a document, and no parser sees it', async (_what, bomb) => {
    reply = (path) => (path.startsWith('/v1/kv/data/') ? bomb : undefined);
    await expect(driver.read('a', signal)).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
  });

  it.each(BOMBS)('gets a refusal for %s as its health', async (_what, bomb) => {
    reply = (path) => (path === '/v1/sys/health' ? bomb : undefined);
    await expect(driver.probe(signal)).rejects.toMatchObject({ code: 'REPLY_TOO_LARGE' });
  });

  it('does not get its content into the error', async () => {
    reply = (path) => (path.startsWith('/v1/kv/data/') ? `["planted${'x'.repeat(3 * MIB)}"]` : undefined);
    const failure: unknown = await driver.read('a', signal).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(OperatorError);
    expect(JSON.stringify([failure, String(failure)])).not.toContain('planted');
  });
});

describe('a server that never ends its large replies', () => {
  it('holds up no large reply to another namespace', async () => {
    const document = JSON.stringify({
      data: {
        data: { a: 'x'.repeat(100_000) },
        metadata: { version: 1, created_time: '2026-01-01T00:00:00Z' },
      },
    });
    reply = (path) => (path === '/v1/kv/data/endless' ? ENDLESS : undefined);
    const leaving = new AbortController();
    const stuck = Array.from({ length: 100 }, async () => driver.read('endless', leaving.signal));
    await eventually('all are stuck', () => open.length === 100);
    reply = (path) => (path === '/v1/kv/data/b' ? document : undefined);
    await using other = driverOf('b');
    expect(await other.read('b', signal)).toMatchObject({ state: 'present' });
    leaving.abort(new OperatorError('LEASE_LOST', { op: 'test' }));
    const ends = await Promise.allSettled(stuck);
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
  });
});

describe('a page of names that is too large', () => {
  const names = Array.from({ length: 3_000 }, (_, index) => `${'n'.repeat(480)}${1_000_000 + index}`);
  /** Written as Go writes a name: six bytes for one, so 1,000 of them are 2.9 MiB. */
  const escaped = names.map((name) => `"${name.replaceAll('n', String.raw`\u006e`)}"`);

  function pageOf(first: number, limit: number): string | undefined {
    const page = escaped.slice(first, first + limit);
    return page.length === 0 ? undefined : `{"data":{"keys":[${page.join(',')}]}}`;
  }

  it('is requested again with fewer names, where the server pages', async () => {
    reply = (path, { searchParams }) => {
      if (path !== '/v1/kv/metadata') return undefined;
      const after = searchParams.get('after') ?? '';
      return pageOf(
        names.findIndex((name) => name > after),
        Number(searchParams.get('limit')),
      );
    };
    const listed: readonly Listed[] = await collect(driver.list({ folder: '' }, signal));
    expect(listed.map(({ address }) => address)).toEqual(names);
    expect(seen.filter((url) => url.includes('limit=1000'))).toHaveLength(1);
  });

  it('is requested as a whole folder, where the server ignores pages', async () => {
    reply = (path) => (path === '/v1/kv/metadata' ? pageOf(0, 2_000) : undefined);
    const listed = await collect(driver.list({ folder: '' }, signal));
    expect(listed).toHaveLength(2_000);
    expect(seen.filter((url) => url.startsWith('/v1/kv/metadata'))).toHaveLength(5);
  });

  it('has a limit as a whole folder', async () => {
    reply = (path) => (path === '/v1/kv/metadata' ? pageOf(0, 3_000) : undefined);
    await expect(collect(driver.list({ folder: '' }, signal))).rejects.toMatchObject({
      code: 'REPLY_TOO_LARGE',
    });
  });
});
