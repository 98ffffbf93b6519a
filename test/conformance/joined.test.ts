import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import { joined } from '#src/backends/layers/join.ts';
import { compileJoinedKeys } from '#src/core/mapping/joined-keys.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { collect } from '#test/support/collect.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { codeOf, presentIn } from '#test/support/documents.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';

/* A folder of a real KV engine as one document. */

const cluster = sharedCluster();
afterAll(() => cluster.dispose());
const { signal } = new AbortController();
let fixture: OpenBaoFixture;

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
});
afterAll(() => fixture[Symbol.asyncDispose]());

interface Joined {
  readonly view: Driver;
  readonly put: (path: string, data: Readonly<Record<string, string>>) => Promise<unknown>;
}

async function open(kvVersion: 1 | 2): Promise<Joined & { readonly mount: string }> {
  const mount = await (kvVersion === 1 ? cluster.createV1Mount('joined') : cluster.createMount('joined'));
  const auth = await fixture.tokenAuth(documentedPolicy(mount, kvVersion));
  const kv = kvVersion === 1 ? { kvVersion } : {};
  const driver = fixture.driver({ mount, auth, kv, pathPrefix: 'team' });
  await driver.probe(signal);
  return {
    mount,
    view: joined(driver, compileJoinedKeys()),
    put: async (path, data) =>
      kvVersion === 1
        ? cluster.bao('POST', `${mount}/team/${path}`, data)
        : cluster.bao('POST', `${mount}/data/team/${path}`, { data }),
  };
}

/** The document and its keys as text. */
async function textOf(view: Driver): Promise<Record<string, string>> {
  const { fields } = presentIn(await view.read('ns/app', signal));
  return Object.fromEntries([...fields].map(([key, value]) => [key, value.reveal().toString()]));
}

describe.each([1, 2] as const)('a folder of KV version %s', (kvVersion) => {
  it('is one document, which differs after each change of a part', async () => {
    const { put, view } = await open(kvVersion);
    expect(await view.read('ns/app', signal)).toEqual({ state: 'absent' });
    await put('ns/app/db', { user: 'u' });
    await put('ns/app/api', { token: 't' });
    await put('ns/app/eu/db', { user: 'eu' });
    const listed = await collect(view.list({ folder: 'ns' }, signal));
    expect(listed.map(({ address }) => address).toSorted()).toEqual(['ns/app', 'ns/app/eu']);
    expect(await textOf(view)).toEqual({ 'db.user': 'u', 'api.token': 't' });
    const before = presentIn(await view.read('ns/app', signal)).version;
    expect(presentIn(await view.read('ns/app', signal)).version).toEqual(before);
    await put('ns/app/api', { token: 't2' });
    expect(await textOf(view)).toEqual({ 'db.user': 'u', 'api.token': 't2' });
    expect(presentIn(await view.read('ns/app', signal)).version).not.toEqual(before);
  });
});

it('tells the version of a folder without a read, and that of a part that is deleted only with one', async () => {
  const { mount, put, view } = await open(2);
  await put('ns/app/db', { user: 'u' });
  await put('ns/app/api', { token: 't' });
  const { version } = presentIn(await view.read('ns/app', signal));
  const versions = async () => collect(view.versions({ folder: 'ns' }, signal));
  expect(await versions()).toEqual([{ address: 'ns/app', state: 'present', version }]);
  await cluster.bao('DELETE', `${mount}/data/team/ns/app/api`);
  expect(await versions()).toEqual([{ address: 'ns/app', state: 'unknown' }]);
  expect(await codeOf(view.read('ns/app', signal))).toBe('PARTS_REFUSED');
  await cluster.bao('POST', `${mount}/undelete/team/ns/app/api`, { versions: [1] });
  expect(await versions()).toEqual([{ address: 'ns/app', state: 'present', version }]);
});
