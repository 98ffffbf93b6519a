import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedCluster } from '#test/cluster/shared.ts';
import { collect } from '#test/support/collect.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { aDocument } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { requestsTo } from './request-log.ts';

/* Spellings of one OpenBao namespace, names that are not letters, digits and a few signs, and pages of names. */

const cluster = sharedCluster();
let fixture: OpenBaoFixture;
const { signal } = new AbortController();

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await cluster.dispose();
});

/** A request as root, in an OpenBao namespace. */
async function inNamespace<T>(namespace: string, path: string, body: unknown): Promise<T> {
  const headers = { 'x-vault-token': cluster.rootToken, 'x-vault-namespace': namespace };
  return cluster.baoClient.request<T>('POST', `/v1/${path}`, body, headers);
}

describe('an OpenBao namespace', () => {
  it('is one store, with and without slashes at its ends', async ({ skip }) => {
    if (!cluster.isOpenBao) skip('Vault has no namespaces without a license.');
    await inNamespace('', 'sys/namespaces/spelled', {});
    await inNamespace('spelled', 'sys/namespaces/nested', {});
    const nested = 'spelled/nested';
    await inNamespace(nested, 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
    await inNamespace(nested, 'sys/policies/acl/keyferry', { policy: documentedPolicy('kv') });
    const token = await inNamespace<{ auth: { client_token: string } }>(nested, 'auth/token/create', {
      policies: ['keyferry'],
    });
    const auth = await fixture.tokenAuthWith(token.auth.client_token);
    const spellings = [nested, `${nested}/`, `/${nested}`, `/${nested}/`];
    const drivers = spellings.map((namespace) => fixture.driver({ mount: 'kv', auth, kv: { namespace } }));
    for (const driver of drivers) await driver.probe(signal);
    await drivers[1]?.write(aDocument('a', { k: 'v' }), 'absent', permitted(signal));
    for (const driver of drivers) expect((await driver.read('a', signal)).state).toBe('present');
    expect(new Set(drivers.map((driver) => JSON.stringify(driver.locationOf('a')))).size).toBe(1);
  });
});

describe('a name that is not letters, digits and a few signs', () => {
  const folder = 'café web/naïve';
  const addresses = ['a b/ü', '日本/語', 'emoji 😀', `it's "a" (b) {c} [d] <e> & f; g=h, i!`, 'a+b', 'a*b'];

  it('works in a mount, in a prefix and below it, with a policy for exactly this folder', async () => {
    const mount = `${await cluster.createMount('names')} ä 日本/k v`;
    await cluster.bao('POST', `sys/mounts/${encoded(mount)}`, { type: 'kv', options: { version: '2' } });
    const auth = await fixture.tokenAuth(documentedPolicy(mount).replaceAll(/\/\*"/g, `/${folder}/*"`));
    const driver = fixture.driver({ mount, auth, pathPrefix: folder });
    await driver.probe(signal);
    const verbs = ['read', 'create', 'update', 'delete'] as const;
    const needs = addresses.map((address) => ({ address, verbs }));
    expect(await driver.denied(needs, signal)).toEqual(new Map());
    for (const address of addresses) {
      const version = await driver.write(aDocument(address, { k: address }), 'absent', permitted(signal));
      expect((await driver.read(address, signal, version.revision)).state).toBe('present');
      const raw = await cluster.bao<{ data: { data: unknown } }>(
        'GET',
        encoded(`${mount}/data/${folder}/${address}`),
      );
      expect(raw.data.data).toEqual({ k: address });
    }
    const listed: string[] = [];
    for await (const entry of driver.list({ folder: '' }, signal)) listed.push(entry.address);
    expect(listed.toSorted()).toEqual(addresses.toSorted());
    const other = fixture.driver({ mount, auth, pathPrefix: 'café web/other' });
    expect([...(await other.denied([{ address: 'a', verbs }], signal)).keys()]).toEqual(['a']);
  });
});

describe('the names of a folder', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];

  it('are listed to the last one where the policy allows only small pages', async ({ skip }) => {
    if (!cluster.isOpenBao) skip('Vault has no pages.');
    const mount = await cluster.createMount('pages');
    for (const name of names) await cluster.bao('POST', `${mount}/data/f/${name}`, { data: { k: 'v' } });
    const policy = `path "${mount}/metadata/*" { capabilities = ["list"]\n pagination_limit = 2 }`;
    const driver = fixture.driver({ mount, auth: await fixture.tokenAuth(policy) });
    const listed = await collect(driver.list({ folder: 'f' }, signal));
    expect(listed).toEqual(names.map((name) => ({ address: `f/${name}` })));
  });

  it('take one request for a caller that can miss some, and the empty page for others', async () => {
    const mount = await cluster.createMount('pages');
    for (const name of names) await cluster.bao('POST', `${mount}/data/f/${name}`, { data: { k: 'v' } });
    const driver = fixture.driver({ mount, auth: await fixture.tokenAuth(documentedPolicy(mount)) });
    for (const [mayMiss, count] of [
      [true, 1],
      [false, 2],
    ] as const) {
      const requests = await requestsTo(cluster.baoUrl, async () => {
        expect(await collect(driver.list({ folder: 'f', mayMiss }, signal))).toHaveLength(names.length);
      });
      expect(requests.filter(({ path }) => path.includes('list=true'))).toHaveLength(count);
    }
  });
});

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
