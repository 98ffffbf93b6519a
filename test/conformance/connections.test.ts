import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import { KubernetesDriver } from '#src/backends/kubernetes/driver.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { collect } from '#test/support/collect.ts';
import { CountingProxy } from '#test/support/counting-proxy.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { aDocument, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import { kubeClientWith } from './kube-client.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';

/*
 * A request costs no connection, whatever it asks for and however the server replies: a handshake costs more than
 * most requests do. Counted in front of the real servers.
 */

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

const { signal } = new AbortController();
const TIMES = 10;

const STEPS: readonly (readonly [string, (driver: Driver, address: string) => Promise<unknown>])[] = [
  ['a probe', async (driver) => driver.probe(signal)],
  ['a read of what is absent', async (driver) => driver.read('absent', signal)],
  ['a create', async (driver, address) => write(driver, address, 'absent')],
  ['a create of what exists', async (driver, address) => write(driver, address, 'absent').catch(ignored)],
  ['a read', async (driver, address) => driver.read(address, signal)],
  ['a read of many', async (driver, address) => collect(driver.readMany([address], signal))],
  ['a list', async (driver) => collect(driver.list({ folder: '' }, signal))],
  ['a list of versions', async (driver) => collect(driver.versions({ folder: '' }, signal))],
  [
    'a question for rights',
    async (driver, address) => driver.denied([{ address, verbs: ['delete'] }], signal),
  ],
  ['a change', async (driver, address) => write(driver, address, await versionOf(driver, address))],
  ['a removal', remove],
];

const ignored = (): void => undefined;

async function write(
  driver: Driver,
  address: string,
  expecting: Parameters<Driver['write']>[1],
): Promise<unknown> {
  return driver.write(aDocument(address, { a: `${performance.now()}` }), expecting, permitted(signal));
}

async function versionOf(driver: Driver, address: string) {
  return presentIn(await driver.read(address, signal)).version;
}

async function remove(driver: Driver, address: string): Promise<unknown> {
  return driver.delete(address, await versionOf(driver, address), permitted(signal));
}

/** The connections that this driver opens for each step, which it takes for several documents in sequence. */
async function connectionsOf(
  driver: Driver,
  proxy: CountingProxy,
): Promise<Readonly<Record<string, number>>> {
  const counted: Record<string, number> = {};
  for (const [name, step] of STEPS) {
    const before = proxy.opened;
    for (let time = 0; time < TIMES; time += 1) await step(driver, `doc-${time}`);
    counted[name] = proxy.opened - before;
  }
  return counted;
}

const sumOf = (counted: Readonly<Record<string, number>>): number =>
  Object.values(counted).reduce((sum, count) => sum + count, 0);

describe('requests to the KV server', () => {
  let fixture: OpenBaoFixture;
  let proxy: CountingProxy;

  beforeAll(async () => (fixture = await OpenBaoFixture.open(cluster)));
  beforeEach(async () => (proxy = await CountingProxy.start(cluster.baoUrl)));
  afterAll(async () => fixture[Symbol.asyncDispose]());

  it.each([2, 1] as const)('in sequence use one connection, in KV version %i', async (kvVersion) => {
    const mount = await (kvVersion === 2 ? cluster.createMount('counted') : cluster.createV1Mount('counted'));
    const auth = await fixture.tokenAuth(documentedPolicy(mount, kvVersion));
    const kv = kvVersion === 2 ? {} : { kvVersion, allowUnsafeWrites: true };
    const driver = fixture.driver({ mount, auth, kv, address: proxy.url });
    const { 'a list of versions': ofVersions = 0, ...counted } = await connectionsOf(driver, proxy);
    expect([counted, sumOf(counted)]).toEqual([counted, 1]);
    expect(ofVersions).toBeLessThan(TIMES); // It can ask for all documents at once.
    await driver[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});

describe('requests to the API server', () => {
  const ROLE = { apiVersion: 'v1', kind: 'ConfigMap' };
  let proxy: CountingProxy;
  let client: HttpKubeClient;
  let namespace: string;
  let bearer: string;

  beforeAll(async () => {
    namespace = await cluster.createNamespace('counted');
    bearer = await cluster.requestToken(namespace, 'default');
    await cluster.kube('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
      metadata: { name: 'all' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
    });
  });
  beforeEach(async () => {
    proxy = await CountingProxy.start(cluster.apiserverUrl);
    client = kubeClientWith(cluster, bearer, proxy.url);
  });

  async function end(): Promise<void> {
    await client[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  }

  // undici uses one or two connections for requests in sequence: it frees one a moment after its reply.
  it('use two connections at most for all that a driver asks', async () => {
    const counted = await connectionsOf(new KubernetesDriver(client, namespace), proxy);
    expect([counted, sumOf(counted) <= 2]).toEqual([counted, true]);
    await end();
  });

  const collection = (): string => `/api/v1/namespaces/${namespace}/configmaps`;
  const named = (time: number): string => `map-${time}`;
  const object = (time: number): string => `${collection()}/${named(time)}`;
  const uid = '00000000-0000-0000-0000-000000000000';
  const verbs: readonly (readonly [
    string,
    (time: number) => Pick<KubeRequest, 'method' | 'path' | 'body'>,
  ])[] = [
    [
      'POST',
      (time) => ({ method: 'POST', path: collection(), body: { ...ROLE, metadata: { name: named(time) } } }),
    ],
    ['GET', (time) => ({ method: 'GET', path: object(time) })],
    [
      'PUT',
      (time) => ({ method: 'PUT', path: object(time), body: { ...ROLE, metadata: { name: named(time) } } }),
    ],
    ['PATCH', (time) => ({ method: 'PATCH', path: object(time), body: { data: { a: 'b' } } })],
    [
      'DELETE that is refused',
      (time) => ({ method: 'DELETE', path: object(time), body: { preconditions: { uid } } }),
    ],
    [
      'DELETE with a body',
      (time) => ({ method: 'DELETE', path: object(time), body: { gracePeriodSeconds: 0 } }),
    ],
    ['DELETE of what is absent', (time) => ({ method: 'DELETE', path: object(time), body: {} })],
    ['DELETE without a body', (time) => ({ method: 'DELETE', path: object(time) })],
    ['GET of what is absent', (time) => ({ method: 'GET', path: object(time) })],
  ];

  it('use two connections at most for each verb, also when they are refused', async () => {
    const counted: Record<string, number> = {};
    for (const [verb, requestOf] of verbs) {
      const before = proxy.opened;
      for (let time = 0; time < TIMES; time += 1) {
        const contentType = verb === 'PATCH' ? { contentType: 'application/merge-patch+json' } : {};
        const about = { op: 'test', target: 'ConfigMap', signal, ...contentType };
        await client.request({ ...requestOf(time), ...about }).catch(ignored);
      }
      counted[verb] = proxy.opened - before;
    }
    expect([counted, sumOf(counted) <= 2]).toEqual([counted, true]);
    await end();
  });
});
