import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubernetesDriver } from '#src/backends/kubernetes/driver.ts';
import { startCluster } from '#test/cluster/cluster.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { aDocument, codeOf, failureOf, presentIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { aNamespaceWithClient } from './kube-client.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { permitted } from '#test/support/permit.ts';

/** A cluster of its own, because its servers are sealed and killed. */
describe('drivers whose server stops', () => {
  let cluster: Cluster;
  const { signal } = new AbortController();

  beforeAll(async () => {
    cluster = await startCluster({ report: () => undefined });
    await cluster.enableKubernetesAuth();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it('report a sealed server as sealed, lose nothing, and continue with the same token once it is unsealed', async () => {
    await using fixture = await OpenBaoFixture.open(cluster);
    const mount = await cluster.createMount('sealed');
    const driver = fixture.driver({ mount, auth: await fixture.tokenAuth(documentedPolicy(mount)) });
    const version = await driver.write(aDocument('kept', { a: '1' }), 'absent', permitted(signal));
    await cluster.seal();
    expect(await codeOf(driver.probe(signal))).toBe('BACKEND_SEALED');
    expect(await codeOf(driver.read('kept', signal))).toBe('BACKEND_SEALED');
    expect(await codeOf(collect(driver.list({ folder: '' }, signal)))).toBe('BACKEND_SEALED');
    expect(await codeOf(collect(driver.readMany(['kept'], signal)))).toBe('BACKEND_SEALED');
    expect(await codeOf(driver.write(aDocument('new', { a: '1' }), 'absent', permitted(signal)))).toBe(
      'BACKEND_SEALED',
    );
    expect(await codeOf(driver.delete('kept', version, permitted(signal)))).toBe('BACKEND_SEALED');
    await cluster.unseal();
    expect(presentIn(await driver.read('kept', signal)).version).toEqual(version);
    expect(await driver.read('new', signal)).toEqual({ state: 'absent' });
  });

  it('report a killed server as unreachable, and find everything once it is back', async () => {
    await using fixture = await OpenBaoFixture.open(cluster);
    const mount = await cluster.createMount('killed');
    const driver = fixture.driver({ mount, auth: await fixture.tokenAuth(documentedPolicy(mount)) });
    const version = await driver.write(aDocument('kept', { a: '1' }), 'absent', permitted(signal));
    await cluster.kill('bao');
    expect(await codeOf(driver.read('kept', signal))).toBe('BACKEND_UNREACHABLE');
    expect(await codeOf(driver.read('never', signal))).toBe('BACKEND_UNREACHABLE');
    await cluster.restart('bao');
    expect(presentIn(await driver.read('kept', signal)).version).toEqual(version);
  });

  it('report a deadline if the server does not reply, and a write to it as indeterminate', async () => {
    await using fixture = await OpenBaoFixture.open(cluster);
    const mount = await cluster.createMount('paused');
    const auth = await fixture.tokenAuth(documentedPolicy(mount));
    const driver = fixture.driver({ mount, auth, timeoutSeconds: 1 });
    await driver.read('warm-up', signal);
    await cluster.pause('bao');
    try {
      expect(await failureOf(driver.read('a', signal))).toMatchObject({
        code: 'DEADLINE',
        indeterminate: false,
      });
      const error = await failureOf(driver.write(aDocument('a', { a: '1' }), 'absent', permitted(signal)));
      expect(error).toMatchObject({ code: 'DEADLINE', indeterminate: true });
    } finally {
      cluster.resume('bao');
    }
  });

  it('report a killed API server as unreachable, and find everything once it is back', async () => {
    const { namespace, client } = await aNamespaceWithClient(cluster, 'down');
    await using _open = client;
    const driver = new KubernetesDriver(client, namespace);
    const version = await driver.write(aDocument('kept', { a: '1' }), 'absent', permitted(signal));
    await cluster.kill('apiserver');
    const error = await failureOf(driver.write(aDocument('new', { a: '1' }), 'absent', permitted(signal)));
    expect(error).toMatchObject({ code: 'BACKEND_UNREACHABLE', indeterminate: false });
    await cluster.restart('apiserver');
    expect(presentIn(await driver.read('kept', signal)).version).toEqual(version);
    expect(await driver.read('new', signal)).toEqual({ state: 'absent' });
  });
});
