import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { aDocument } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';

/* Spellings of one OpenBao namespace, and names that are not letters, digits and a few signs. */

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
