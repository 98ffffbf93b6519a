import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import type { Attributes, Document, Version } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { aDocument, codeOf, contentOf, presentIn, versionIn } from '#test/support/documents.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { permitted } from '#test/support/permit.ts';
import { FaultProxy } from './fault-proxy.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';

/*
 * Another client writes between any two requests of a write, or after the writer was killed there. Its value, its custom
 * metadata and the lifetime of its path must be as if Keyferry had never been there.
 */

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

interface RawPath {
  readonly current_version: number;
  readonly delete_version_after: string;
  readonly custom_metadata: Record<string, string> | null;
  readonly versions: Record<string, { readonly deletion_time: string }>;
}

const HOUR_MS = 3_600_000;
/** Looks like base64 of 255. */
const THEIRS = { a: '/w==' };
const BINARY = Buffer.from([255, 0]);

let proxy: FaultProxy;
let fixture: OpenBaoFixture;
let mount: string;
let driver: Driver;
let counter = 0;
let address = '';
const { signal } = new AbortController();

beforeAll(async () => {
  proxy = await FaultProxy.start({ target: cluster.baoUrl, ca: cluster.baoCaPem });
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('races');
  driver = await aDriver(documentedPolicy(mount));
});
beforeEach(nextAddress);
afterEach(() => {
  proxy.meanwhile = async () => Promise.resolve();
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

function nextAddress(): void {
  counter += 1;
  address = `doc-${counter}`;
}

async function aDriver(policy: string): Promise<Driver> {
  const made = fixture.driver({ mount, auth: await fixture.tokenAuth(policy), address: proxy.origin });
  await made.probe(signal);
  return made;
}

const raw = async () => (await cluster.bao<{ data: RawPath }>('GET', `${mount}/metadata/${address}`)).data;
const writeTheirs = () => cluster.bao('POST', `${mount}/data/${address}`, { data: THEIRS });
const setTheirs = (body: Record<string, unknown>) =>
  cluster.bao('POST', `${mount}/metadata/${address}`, body);

/** Runs `act` before the n-th request about the document is passed on; resolves with the number of requests seen. */
function before(nth: number, act: () => Promise<unknown>): { readonly count: () => number } {
  let seen = 0;
  proxy.meanwhile = async ({ path }) => {
    if (!path.endsWith(`/${address}`)) return;
    seen += 1;
    if (seen === nth) await act();
  };
  return { count: () => seen };
}

/** A permit that is withdrawn after n changes, as if the process had been killed there. */
function killedAfter(changes: number): Permit {
  let left = changes;
  const require = (): void => {
    left -= 1;
    if (left < 0) throw new OperatorError('LEASE_LOST', { op: 'test.killed' });
  };
  return { signal, require };
}

const KINDS: readonly (readonly [string, () => Attributes])[] = [
  ['is binary', () => ({})],
  ['has a type and is immutable', () => ({ type: 'kubernetes.io/tls', immutable: true })],
  ['has metadata', () => ({ metadata: new Map([['owner', 'us']]) })],
  ['expires', () => ({ expiresAt: new Date(Date.now() + HOUR_MS).toISOString(), lifetime: 7_200 })],
];
const ours = (attributes: Attributes): Document => aDocument(address, { a: BINARY, b: 'text' }, attributes);

/** Their value is the current version, and nothing of Keyferry is on the path. */
async function expectTheirs(path: Partial<RawPath>): Promise<void> {
  const found = await raw();
  expect(found).toMatchObject(path);
  const names = Object.keys(found.custom_metadata ?? {});
  expect(names.filter((name) => name.startsWith('keyferry-'))).toEqual([]);
  const read = presentIn(await driver.read(address, signal));
  expect([read.unfinished, read.prepared]).toEqual([undefined, undefined]);
  expect(read.fields.get('a')?.reveal().toString()).toBe(THEIRS.a);
  expect([read.attributes.type, read.attributes.immutable]).toEqual([undefined, undefined]);
}

/** Their value, and an entry of custom metadata that is merged or replaces all others. */
async function writeWithEntry(method: 'PATCH' | 'POST'): Promise<void> {
  await writeTheirs();
  const headers = { 'x-vault-token': cluster.rootToken, 'content-type': CONTENT_TYPES[method] };
  const body = { custom_metadata: { theirs: 'x' } };
  const { status } = await cluster.baoClient.reply(method, `/v1/${mount}/metadata/${address}`, body, headers);
  expect(status).toBe(204);
}

const CONTENT_TYPES = { PATCH: 'application/merge-patch+json', POST: 'application/json' };

describe('another client that writes in the middle of a write', () => {
  describeCreating();
  describeReplacing();
  describeKilled();
  describeDenied();
});

function describeCreating(): void {
  const methods = ['PATCH', 'POST'] as const;
  const cases = KINDS.flatMap(([what, kind]) => methods.map((method) => ({ what, kind, method })));
  it.each(cases)('of a new document that $what keeps its value and its $method', async ({ kind, method }) => {
    for (let nth = 1; ; nth += 1) {
      const requests = before(nth, () => writeWithEntry(method));
      const code = await codeOf(driver.write(ours(kind()), 'absent', permitted(signal)));
      if (requests.count() < nth) break;
      expect((await raw()).custom_metadata).toMatchObject({ theirs: 'x' });
      if ((await raw()).current_version === 2) {
        const first = presentIn(await driver.read(address, signal, '1'));
        expect(contentOf(first).fields).toEqual(contentOf(ours({})).fields);
      } else {
        expect(code).toBe('ALREADY_EXISTS');
        const custom = { theirs: 'x' };
        await expectTheirs({ current_version: 1, delete_version_after: '0s', custom_metadata: custom });
        expect((await raw()).versions['1']?.deletion_time).toBe('');
      }
      nextAddress();
    }
  });

  it('keeps the custom metadata and the lifetime of a path that it creates after it was found absent', async () => {
    before(2, () =>
      setTheirs({ custom_metadata: { theirs: 'x' }, delete_version_after: '90m', max_versions: 3 }),
    );
    const document = ours({ type: 'a/b' });
    await driver.write(document, 'absent', permitted(signal));
    expect(await raw()).toMatchObject({
      custom_metadata: { theirs: 'x', 'keyferry-type': 'a/b@1', 'keyferry-base64': 'a@1' },
      delete_version_after: '1h30m0s',
      max_versions: 3,
    });
  });
}

function describeReplacing(): void {
  it.each(KINDS)('over a document that %s keeps its value, before any request', async (_kind, kind) => {
    for (let nth = 1; ; nth += 1) {
      await setTheirs({ custom_metadata: { theirs: 'x', owner: 'them' }, delete_version_after: '90m' });
      await writeTheirs();
      const version = versionIn(await driver.read(address, signal));
      const requests = before(nth, writeTheirs);
      const code = await codeOf(driver.write(ours(kind()), version, permitted(signal)));
      if (requests.count() < nth) break;
      if ((await raw()).current_version === 2) {
        expect(code).toBe('VERSION_CONFLICT');
        const custom = { theirs: 'x', owner: 'them' };
        await expectTheirs({ current_version: 2, delete_version_after: '1h30m0s', custom_metadata: custom });
      }
      nextAddress();
    }
  });
}

function describeKilled(): void {
  it.each(KINDS)('of a document that %s gets back what a killed writer had prepared', async (_kind, kind) => {
    const changes = cluster.isOpenBao ? 1 : 2;
    expect(await codeOf(driver.write(ours(kind()), 'absent', killedAfter(changes)))).toBe('LEASE_LOST');
    expect((await raw()).custom_metadata).toHaveProperty('keyferry-pending');
    await writeTheirs();
    const version = await undone();
    await expectTheirs({ current_version: 1, delete_version_after: '0s' });
    expect((await raw()).versions['1']?.deletion_time).toBe('');
    expect(presentIn(await driver.read(address, signal)).version).toEqual(version);
  });

  it('also under several later versions, hidden ones included', async () => {
    const expiring = ours({ expiresAt: new Date(Date.now() + 1_500).toISOString() });
    await codeOf(driver.write(expiring, 'absent', killedAfter(cluster.isOpenBao ? 1 : 2)));
    await writeTheirs();
    await writeTheirs();
    const version = await undone();
    expect(version.revision).toBe('2');
    await expectTheirs({ current_version: 2, delete_version_after: '0s' });
    expect(Object.values((await raw()).versions).map((each) => each.deletion_time)).toEqual(['', '']);
  });

  it('and a write that was killed after its data is completed', async () => {
    for (const [, kind] of KINDS) {
      const document = ours(kind());
      await codeOf(driver.write(document, 'absent', killedAfter(cluster.isOpenBao ? 2 : 3)));
      const found = presentIn(await driver.read(address, signal));
      expect(found.unfinished).toBe(true);
      await driver.finish?.(document, found.version, permitted(signal));
      const finished = presentIn(await driver.read(address, signal));
      expect(finished.unfinished).toBeUndefined();
      expect(finished.version).toEqual(found.version);
      const { expiresAt: _end, ...attributes } = contentOf(finished).attributes;
      const { expiresAt: _ours, ...wanted } = document.attributes;
      expect(attributes).toEqual(wanted);
      nextAddress();
    }
  });
}

/** Undoes what the read of the path shows, as the next run does; resolves with the version there. */
async function undone(): Promise<Version> {
  const found = presentIn(await driver.read(address, signal));
  expect(found.unfinished ?? found.prepared).toBe(true);
  await driver.undo?.(address, found.version, permitted(signal));
  return found.version;
}

function describeDenied(): void {
  it('is told where the rights to undo are missing, and the path still shows what is left', async () => {
    await codeOf(driver.write(ours({ type: 'a/b' }), 'absent', killedAfter(cluster.isOpenBao ? 1 : 2)));
    await writeTheirs();
    const policy = documentedPolicy(mount).replace('"patch", ', '');
    const weak = await aDriver(policy);
    const found = presentIn(await weak.read(address, signal));
    expect(await codeOf(weak.undo?.(address, found.version, permitted(signal)) ?? Promise.resolve())).toBe(
      'AUTH_DENIED',
    );
    expect(presentIn(await weak.read(address, signal)).unfinished).toBe(true);
    await driver.undo?.(address, found.version, permitted(signal));
    await expectTheirs({ current_version: 1 });
  });
}
