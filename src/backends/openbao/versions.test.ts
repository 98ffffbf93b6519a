import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '#test/support/collect.ts';
import { HostileKv } from '#test/support/hostile-kv.ts';
import type { Driver } from '../driver.ts';
import { isProblem } from '../listing-problem.ts';
import { stateIn } from './versions.ts';

const { signal } = new AbortController();
const CREATED = '2026-01-01T10:00:00.123456789Z';
const NOW = Date.parse('2026-01-01T12:00:00Z');
const version = { identity: CREATED, revision: '2' };

/** The metadata of a path whose current version is 2. */
function aPath(current: { readonly deletionTime?: string; readonly isDestroyed?: true } = {}) {
  const { deletionTime, isDestroyed = false } = current;
  const kept = { number: 2, createdTime: CREATED, deletionTime, isDestroyed };
  return { currentVersion: 2, versions: [{ ...kept, number: 1, isDestroyed: true }, kept] };
}

describe('the state of a document in the metadata of its path', () => {
  it.each([
    ['a version that stays', aPath(), { state: 'present', version }],
    ['a destroyed version', aPath({ isDestroyed: true }), { state: 'deleted', version }],
    [
      'one that was hidden',
      aPath({ deletionTime: '2026-01-01T11:59:59.999Z' }),
      { state: 'deleted', version },
    ],
    [
      'one that will be hidden',
      aPath({ deletionTime: '2026-01-01T12:00:01Z' }),
      { state: 'present', version },
    ],
    ['no version', { currentVersion: 0, versions: [] }, { state: 'absent' }],
    ['a current version that is not listed', { currentVersion: 3, versions: [] }, { state: 'unknown' }],
    ['no metadata', undefined, { state: 'unknown' }],
  ])('of %s is what a read finds', (_what, metadata, wanted) => {
    expect(stateIn(metadata, NOW)).toEqual(wanted);
  });

  it.each([
    '2026-01-01T12:00:00Z',
    '2026-01-01T12:00:00.000000001Z',
    '2026-01-01T12:00:00.999999999Z',
    'soon',
  ])('is unknown where a version is hidden at %s, in the second of the reply', (deletionTime) => {
    expect(stateIn(aPath({ deletionTime }), NOW)).toEqual({ state: 'unknown' });
  });

  it('is unknown for a version that is hidden some time, if the reply has no time', () => {
    expect(stateIn(aPath({ deletionTime: '2020-01-01T00:00:00Z' }), undefined)).toEqual({ state: 'unknown' });
    expect(stateIn(aPath(), undefined)).toEqual({ state: 'present', version });
  });
});

describe('a listing of versions from a server of a tenant', { timeout: 30_000 }, () => {
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

  const INFO = { current_version: 1, versions: { 1: { created_time: CREATED } } };
  const isListing = ({ pathname }: URL): boolean => pathname.startsWith('/v1/kv/detailed-metadata');
  /** The whole folder in one page. */
  const serve = (keys: readonly string[], info: unknown): void => {
    server.reply = (url) => {
      if (!isListing(url)) return undefined;
      const data = url.searchParams.has('after') ? { keys: [], key_info: {} } : { keys, key_info: info };
      return JSON.stringify({ data });
    };
  };
  const versions = async () => collect(driver.versions({ folder: '' }, signal));

  it('has a name that no document can have as a problem, and takes no member of an object for a document', async () => {
    const names = ['..', '%2e%2e', 'a/b', '', 'constructor', '\u001B[2J', 'ok'];
    serve(
      names,
      Object.fromEntries(names.filter((name) => name !== 'constructor').map((name) => [name, INFO])),
    );
    const found = await versions();
    expect(found).toHaveLength(names.length);
    for (const { address } of found) expect(address).not.toMatch(/\p{C}/u);
    expect(found.filter((each) => !isProblem(each))).toEqual([
      { address: 'constructor', state: 'unknown' },
      { address: 'ok', state: 'present', version: { identity: CREATED, revision: '1' } },
    ]);
    server.reply = (url) =>
      isListing(url) && !url.searchParams.has('after')
        ? `{"data":{"keys":["__proto__"],"key_info":{"__proto__":${JSON.stringify(INFO)}}}}`
        : undefined;
    expect(await versions()).toMatchObject([{ address: '__proto__', state: 'present' }]);
  });

  it('leaves to a read what is not the metadata of a path', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (info) => {
        fc.pre(typeof info !== 'object' || info === null || !('current_version' in info));
        serve(['a'], { a: info });
        expect(await versions()).toEqual([{ address: 'a', state: 'unknown' }]);
      }),
      { numRuns: 50 },
    );
  });

  it('lists by names where the metadata of one path is larger than a reply, and goes on', async () => {
    server.reply = ({ pathname, searchParams }) => {
      if (isListing(new URL(`http://server${pathname}`)))
        return JSON.stringify({ data: 'x'.repeat(5 * 1024 * 1024) });
      if (pathname === '/v1/kv/metadata')
        return JSON.stringify({ data: { keys: searchParams.has('after') ? [] : ['a'] } });
      return pathname === '/v1/kv/metadata/a' ? JSON.stringify({ data: INFO }) : undefined;
    };
    expect(await versions()).toMatchObject([{ address: 'a', state: 'present' }]);
    expect(server.seen.filter((path) => path.includes('after=')).length).toBeGreaterThan(0);
  });

  it('reads by names only the metadata of documents that are wanted', async () => {
    server.reply = ({ pathname, searchParams }) => {
      if (isListing(new URL(`http://server${pathname}`)))
        return JSON.stringify({ data: 'x'.repeat(5 * 1024 * 1024) });
      if (pathname === '/v1/kv/metadata')
        return JSON.stringify({ data: { keys: searchParams.has('after') ? [] : ['a', 'b', 'c'] } });
      return pathname.startsWith('/v1/kv/metadata/') ? JSON.stringify({ data: INFO }) : undefined;
    };
    const wants = (address: string): boolean => address === 'b';
    const found = await collect(driver.versions({ folder: '', wants }, signal));
    expect(found).toMatchObject([{ address: 'b', state: 'present' }]);
    const read = server.seen.filter((path) => /metadata\/[abc]/.test(path));
    expect(read).toEqual([expect.stringContaining('/metadata/b')]);
  });

  it('fails for a reply that is not a listing', async () => {
    server.reply = (url) => (isListing(url) ? JSON.stringify({ data: { keys: 'a' } }) : undefined);
    await expect(versions()).rejects.toMatchObject({ code: 'REPLY_INVALID' });
  });
});
