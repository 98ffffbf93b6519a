import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import type { ListedVersion } from '#src/backends/listing.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { isProblem } from '#src/backends/listing-problem.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { codeOf, presentIn, versionIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { eventually } from '#test/support/eventually.ts';
import { FaultProxy } from './fault-proxy.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';

/*
 * The versions of a KV store: what each state of a path is told as, and which requests tell it. OpenBao lists versions with
 * the names; Vault 1.13, and OpenBao with a policy that does not allow it, need one request for each document.
 */

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

const { signal } = new AbortController();
let fixture: OpenBaoFixture;
let mount: string;
let proxy: FaultProxy;
let hasListing: boolean;

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('versions');
  proxy = await FaultProxy.start({ target: cluster.baoUrl, ca: cluster.baoCaPem });
  await put('seed', '1');
  const asked = await cluster.bao('GET', `${mount}/detailed-metadata?list=true`).catch(() => undefined);
  hasListing = asked !== undefined;
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

const put = (path: string, text: string): Promise<unknown> =>
  cluster.bao('POST', `${mount}/data/${path}`, { data: { a: text } });

/** A driver for one folder, which has been used already, so that only the requests of a call itself are counted. */
async function aDriver(pathPrefix: string, policy = documentedPolicy(mount)): Promise<Driver> {
  const auth = await fixture.tokenAuth(policy);
  const driver = fixture.driver({ mount, auth, pathPrefix, address: proxy.origin, ca: {} });
  await driver.read('none', signal).catch(() => undefined);
  return driver;
}

async function pollOf(
  driver: Driver,
): Promise<{ readonly found: readonly ListedVersion[]; readonly requests: readonly string[] }> {
  const before = proxy.seen.length;
  const found = await collect(driver.versions({ folder: '' }, signal));
  return { found, requests: proxy.seen.slice(before).map(({ method, path }) => `${method} ${path}`) };
}

/** How many of the requests are for names with versions, for names, and for the metadata of one document. */
function kindsOf(requests: readonly string[]): Readonly<Record<'detailed' | 'names' | 'each', number>> {
  const count = (pattern: RegExp): number => requests.filter((each) => pattern.test(each)).length;
  const [detailed, lists] = [count(/\/detailed-metadata/), count(/list=true/)];
  return { detailed, names: lists - detailed, each: count(/\/metadata\/[^?]*$/) };
}

async function fill(folder: string, count: number): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `doc-${String(index).padStart(5, '0')}`);
  await collect(mapConcurrently(names, 32, (name) => put(`${folder}/${name}`, '1')));
  return names;
}

const statesIn = (found: readonly ListedVersion[]): Readonly<Record<string, string>> =>
  Object.fromEntries(found.map((each) => [each.address, isProblem(each) ? 'problem' : each.state]));

describe('a listing of versions in KV version 2', () => {
  it('tells each state of a path as a read finds it', async () => {
    const on = (verb: string, path: string, body: object): Promise<unknown> =>
      cluster.bao('POST', `${mount}/${verb}/states/${path}`, body);
    const write = (path: string): Promise<unknown> => put(`states/${path}`, '1');
    await write('plain');
    await write('hidden').then(() => on('delete', 'hidden', { versions: [1] }));
    await write('back')
      .then(() => on('delete', 'back', { versions: [1] }))
      .then(() => on('undelete', 'back', { versions: [1] }));
    await write('destroyed').then(() => on('destroy', 'destroyed', { versions: [1] }));
    await write('older-destroyed').then(() => write('older-destroyed'));
    await on('destroy', 'older-destroyed', { versions: [1] });
    await on('metadata', 'metadata-only', { custom_metadata: { owner: 'x' } });
    await on('metadata', 'expired', { delete_version_after: '1s' }).then(() => write('expired'));
    await on('metadata', 'expires', { delete_version_after: '1h' }).then(() => write('expires'));
    await on('metadata', 'revived', { delete_version_after: '1h' }).then(() => write('revived'));
    await on('delete', 'revived', { versions: [1] }).then(() => on('undelete', 'revived', { versions: [1] }));
    await on('metadata', 'few', { max_versions: 2 });
    for (let version = 1; version <= 4; version += 1) await write('few');
    await write('folder/below');
    const driver = await aDriver('states');
    await eventually('no state changes any more', async () => {
      const { found } = await pollOf(driver);
      return (
        found.every((each) => !isProblem(each) && each.state !== 'unknown') &&
        statesIn(found)['expired'] === 'deleted'
      );
    });

    const { found } = await pollOf(driver);
    expect(statesIn(found)).toEqual({
      plain: 'present',
      hidden: 'deleted',
      back: 'present',
      destroyed: 'deleted',
      'older-destroyed': 'present',
      'metadata-only': 'absent',
      expired: 'deleted',
      expires: 'present',
      revived: 'present',
      few: 'present',
      'folder/below': 'present',
    });
    for (const each of found) {
      const read = await driver.read(each.address, signal);
      expect({ [each.address]: read.state }).toEqual({ [each.address]: statesIn(found)[each.address] });
      if ('version' in each) expect(each.version).toEqual(versionIn(read));
    }
  });

  it('of a folder that is empty or gone is empty, also if the server has no such listing', async () => {
    const driver = await aDriver('nothing-here');
    expect((await pollOf(driver)).found).toEqual([]);
  });

  it('of 5,000 documents is six requests where the server lists versions, else one for each', async () => {
    const names = await fill('many', 5_000);
    const driver = await aDriver('many');
    const { found, requests } = await pollOf(driver);
    expect(found.map(({ address }) => address).toSorted()).toEqual(names);
    for (const each of found) expect(each).toMatchObject({ state: 'present', version: { revision: '1' } });
    expect(kindsOf(requests)).toEqual(
      hasListing ? { detailed: 6, names: 0, each: 0 } : { detailed: 1, names: 1, each: 5_000 },
    );
    const some = presentIn(await driver.read('doc-04321', signal)).version;
    expect(found).toContainEqual({ address: 'doc-04321', state: 'present', version: some });
  });

  it('tells what is written between two pages by its page, or by the next listing', async () => {
    await fill('between', 1_200);
    const driver = await aDriver('between');
    const pages: string[] = [];
    proxy.meanwhile = async ({ path }) => {
      if (!path.includes('list=true')) return;
      pages.push(path);
      if (pages.length !== 2) return;
      await put('between/doc-00000', '2');
      await put('between/doc-01199', '2');
      await put('between/doc-01199-added', '1');
      await put('between/a-added', '1');
    };
    const { found } = await pollOf(driver);
    proxy.meanwhile = async () => Promise.resolve();
    const revisionOf = (all: readonly ListedVersion[], name: string): string | undefined =>
      all.flatMap((each) => ('version' in each && each.address === name ? [each.version.revision] : []))[0];
    if (hasListing) {
      expect(revisionOf(found, 'doc-00000')).toBe('1');
      expect(revisionOf(found, 'doc-01199')).toBe('2');
      expect(revisionOf(found, 'doc-01199-added')).toBe('1');
      expect(revisionOf(found, 'a-added')).toBeUndefined();
    }
    const next = (await pollOf(driver)).found;
    const names = ['doc-00000', 'doc-01199', 'doc-01199-added', 'a-added'];
    expect(names.map((name) => revisionOf(next, name))).toEqual(['2', '2', '1', '1']);
  });

  describeRights();
  describeFaults();
});

function describeRights(): void {
  const rules = (lines: Readonly<Record<string, string>>): string =>
    Object.entries(lines)
      .map(([path, rights]) => `path "${mount}/${path}" { capabilities = [${rights}] }`)
      .join('\n');

  it('reads the metadata of each document without the right to list versions, and asks for it again after a probe', async () => {
    await fill('rights', 20);
    const driver = await aDriver('rights', rules({ 'metadata/*': '"read", "list"', 'data/*': '"read"' }));
    const { found, requests } = await pollOf(driver);
    expect(found).toHaveLength(20);
    for (const each of found) expect(each).toMatchObject({ state: 'present' });
    expect(kindsOf(requests)).toEqual({ detailed: 1, names: 2, each: 20 });
    expect(kindsOf((await pollOf(driver)).requests)).toMatchObject({ detailed: 0, each: 20 });
    await driver.probe(signal);
    expect(kindsOf((await pollOf(driver)).requests)).toMatchObject({ detailed: 1, each: 20 });
  });

  it('leaves to a read what the metadata of a document may not tell', async () => {
    await fill('names-only', 3);
    const driver = await aDriver('names-only', rules({ 'metadata/*': '"list"', 'data/*': '"read"' }));
    const { found } = await pollOf(driver);
    expect(statesIn(found)).toEqual({
      'doc-00000': 'unknown',
      'doc-00001': 'unknown',
      'doc-00002': 'unknown',
    });
  });

  it('fails without the right to list names, and shows a folder below as a problem', async () => {
    await put('partly/doc', '1');
    await put('partly/closed/doc', '1');
    const none = await aDriver('partly', rules({ 'metadata/*': '"read"', 'data/*': '"read"' }));
    expect(await codeOf(collect(none.versions({ folder: '' }, signal)))).toBe('AUTH_DENIED');
    const policy = rules({
      'metadata/*': '"read", "list"',
      'metadata/partly/closed/*': '"deny"',
      'detailed-metadata/*': '"list"',
      'detailed-metadata/partly/closed/*': '"deny"',
    });
    const { found } = await pollOf(await aDriver('partly', policy));
    expect(statesIn(found)).toEqual({ doc: 'present', 'closed/': 'problem' });
  });
}

function describeFaults(): void {
  it('asks for fewer names where a page does not fit into a reply', async () => {
    const names = await fill('large', 150);
    const pairs = Array.from({ length: 60 }, (_, index) => [`key-${index}`, 'x'.repeat(512)]);
    const body = { custom_metadata: Object.fromEntries(pairs) };
    const path = `${mount}/metadata/large`;
    await collect(mapConcurrently(names, 16, (name) => cluster.bao('POST', `${path}/${name}`, body)));
    const { found, requests } = await pollOf(await aDriver('large'));
    expect(found.map(({ address }) => address).toSorted()).toEqual(names);
    for (const each of found) expect(each).toMatchObject({ state: 'present' });
    // 4.6 MiB: one page of 1,000 names that does not fit, then 100, 50 and none.
    if (hasListing) expect(kindsOf(requests)).toEqual({ detailed: 4, names: 0, each: 0 });
  });

  it.each([
    ['a page of a proxy', { status: 404, body: '<html>' }],
    ['an empty folder', { status: 404, body: '{"errors":[]}' }],
    ['another method', { status: 405, body: '{"errors":["unsupported operation"]}' }],
  ])('asks for each document where the path of the listing is %s', async (_what, reply) => {
    const folder = `faults-${reply.status}-${reply.body.length}`;
    await fill(folder, 4);
    const driver = await aDriver(folder);
    proxy.plan = ({ path }) => (path.includes('/detailed-metadata') ? reply : 'pass');
    const { found } = await pollOf(driver);
    proxy.plan = () => 'pass';
    expect(found).toHaveLength(4);
    for (const each of found) expect(each).toMatchObject({ state: 'present' });
  });

  it('fails as a whole if the server fails, and does not fall back', async () => {
    await fill('failing', 4);
    const driver = await aDriver('failing');
    proxy.plan = ({ path }) => (path.includes('list=true') ? { status: 500, body: '{"errors":[]}' } : 'pass');
    expect(await codeOf(collect(driver.versions({ folder: '' }, signal)))).toBe('SERVER_ERROR');
    proxy.plan = () => 'pass';
  });

  it('is a problem of a document whose metadata cannot be read, and goes on', async () => {
    await fill('one-fails', 4);
    const driver = await aDriver('one-fails');
    proxy.plan = ({ path }) => {
      if (path.includes('/detailed-metadata')) return { status: 404, body: '<html>' };
      return path.endsWith('/doc-00002') ? { status: 500, body: '{"errors":[]}' } : 'pass';
    };
    const { found } = await pollOf(driver);
    proxy.plan = () => 'pass';
    expect(statesIn(found)).toMatchObject({
      'doc-00001': 'present',
      'doc-00002': 'problem',
      'doc-00003': 'present',
    });
  });
}
