import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KubeClient, KubeRequest } from '#src/kube/client.ts';
import { openKubeconfigConnection } from '#src/kube/kubeconfig.ts';
import { collectionPath, objectPath } from '#src/kube/resource.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { StatusWriter } from '#src/runtime/status-patch.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { openAdminClient, openPodClient } from './real-client.ts';

const configMaps = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
const signal = new AbortController().signal;

let cluster: Cluster;
let admin: KubeClient;
let namespace: string;

beforeAll(async () => {
  cluster = sharedCluster();
  admin = await openAdminClient(cluster);
});

afterAll(async () => {
  await admin[Symbol.asyncDispose]();
  await cluster.dispose();
});

beforeEach(async () => (namespace = await cluster.createNamespace('transport')));

type Ask = Pick<KubeRequest, 'method' | 'path'> & Partial<KubeRequest>;

const ask = async (request: Ask, client = admin): Promise<unknown> =>
  await client.request({ op: 'test', target: 'ConfigMap', signal, ...request });

const configMap = (name: string, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  ...more,
});

describe('what the real server refuses has a code', () => {
  const collection = (): string => collectionPath(configMaps, namespace);
  const object = (name: string): string => objectPath(configMaps, { namespace, name });
  const create = async (body: object): Promise<unknown> =>
    await ask({ method: 'POST', path: collection(), body });

  test('an absent object is NOT_FOUND, a kind that is not served is not', async () => {
    await expect(ask({ method: 'GET', path: object('none') })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
    });
    await expect(ask({ method: 'GET', path: '/apis/nowhere.example/v1/things/x' })).rejects.toMatchObject({
      code: 'REPLY_INVALID',
    });
    await expect(ask({ method: 'GET', path: '/api/v1/nothings/x' })).rejects.toMatchObject({
      code: 'REPLY_INVALID',
    });
  });

  test('a second create is ALREADY_EXISTS, a stale replace is VERSION_CONFLICT', async () => {
    await create(configMap('twice'));
    await expect(create(configMap('twice'))).rejects.toMatchObject({ code: 'ALREADY_EXISTS', status: 409 });
    const body = configMap('twice', { metadata: { name: 'twice', namespace, resourceVersion: '1' } });
    await expect(ask({ method: 'PUT', path: object('twice'), body })).rejects.toMatchObject({
      code: 'VERSION_CONFLICT',
      status: 409,
    });
  });

  test('a merge patch under another uid or version is VERSION_CONFLICT', async () => {
    await create(configMap('patched'));
    const patch = (metadata: object): Promise<unknown> =>
      ask({
        method: 'PATCH',
        path: object('patched'),
        body: { metadata },
        contentType: 'application/merge-patch+json',
      });
    await expect(patch({ resourceVersion: '1' })).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
    // The version is looked at before the uid, which alone would be 422: a namesake is a conflict like any other.
    const stranger = { uid: '00000000-0000-0000-0000-000000000000', resourceVersion: '1' };
    await expect(patch(stranger)).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
  });

  test('an invalid object names its fields and not its values', async () => {
    const refused = create(configMap('bad', { data: { 'no spaces allowed here': 'hunter2' } }));
    await expect(refused).rejects.toMatchObject({ code: 'REQUEST_REJECTED', status: 422 });
    const message = await refused.catch((error: Error) => error.message);
    expect(message).toContain('FieldValueInvalid');
    expect(message).not.toContain('hunter2');
  });

  test('an unknown field is refused under strict validation', async () => {
    const strict = ask({
      method: 'POST',
      path: collection(),
      query: { fieldValidation: 'Strict' },
      body: configMap('x', { datta: {} }),
    });
    await expect(strict).rejects.toMatchObject({ code: 'REQUEST_REJECTED', status: 400 });
  });

  test('an object above the limit is DOCUMENT_REFUSED', async () => {
    const tooLarge = create(configMap('large', { data: { a: 'x'.repeat(4 * 1024 * 1024) } }));
    await expect(tooLarge).rejects.toMatchObject({ code: 'DOCUMENT_REFUSED', status: 413 });
  });

  test('a wrong patch type is REQUEST_REJECTED', async () => {
    await create(configMap('typed'));
    const patch = ask({ method: 'PATCH', path: object('typed'), body: {}, contentType: 'application/json' });
    await expect(patch).rejects.toMatchObject({ code: 'REQUEST_REJECTED', status: 415 });
  });

  test('without a permission it is AUTH_DENIED, and a pod finds its own namespace', async () => {
    await using pod = await openPodClient(cluster, namespace, 'default');
    await expect(ask({ method: 'GET', path: object('any') }, pod)).rejects.toMatchObject({
      code: 'AUTH_DENIED',
      status: 403,
    });
  });
});

test('a watch that is aborted ends with the reason of the abort', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const events = admin.watch({
    path: collectionPath(configMaps, namespace),
    query: { watch: 'true', resourceVersion: '0' },
    op: 'test',
    target: 'ConfigMap',
    idleTimeoutMs: 60_000,
    signal: stop.signal,
  });
  const read = async (): Promise<void> => {
    for await (const _event of events) stop.abort(reason); // kube-root-ca.crt is always there
  };
  await expect(read()).rejects.toBe(reason);
});

test('forty watches and a busy pool do not stand in each other’s way', async () => {
  const stop = new AbortController();
  const watches = Array.from({ length: 40 }, async () => {
    const events = admin.watch({
      path: collectionPath(configMaps, namespace),
      query: { watch: 'true' },
      op: 'test',
      target: 'ConfigMap',
      idleTimeoutMs: 60_000,
      signal: stop.signal,
    });
    for await (const event of events) expect(event.type).toBe('ADDED');
  });
  const gets = Array.from({ length: 200 }, async () => await ask({ method: 'GET', path: '/version' }));
  expect(await Promise.all(gets)).toHaveLength(200);
  stop.abort();
  await Promise.allSettled(watches);
});

test('an object client creates, and replaces only what it has seen', async () => {
  const objects = new ObjectClient(admin, configMaps);
  expect(await objects.get({ namespace, name: 'own' }, signal)).toBeUndefined();
  const created = await objects.create({ metadata: { namespace, name: 'own' } }, signal);
  await expect(objects.create({ metadata: { namespace, name: 'own' } }, signal)).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
  });
  const labeled = { ...created, metadata: { ...created.metadata, labels: { a: 'b' } } };
  const replaced = await objects.replace(labeled, signal);
  expect(await objects.get(created.metadata, signal)).toEqual(replaced);
  await expect(objects.replace(labeled, signal)).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
});

test('a status is written to the subresource under the version that was read', async () => {
  const objects = new ObjectClient(admin, namespaces);
  const before = await objects.get({ name: namespace }, signal);
  if (before === undefined) throw new Error('no namespace');
  const writer = new StatusWriter({ client: admin, resource: namespaces });
  const condition = {
    type: 'Tested',
    status: 'True',
    reason: 'Test',
    message: 'By a test.',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const status = { phase: 'Active', conditions: [condition] };
  const written = await writer.write(before, status, signal);
  expect(written).toMatchObject({ state: 'written', object: { status } });
  await expect(writer.write(before, status, signal)).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
});

test.each([
  ['skips TLS verification', { 'insecure-skip-tls-verify': true, server: 'https://127.0.0.1:1' }],
  ['https', { server: 'http://localhost:8080' }],
  ['proxy-url', { server: 'https://127.0.0.1:1', 'proxy-url': 'http://proxy:3128' }],
])('a kubeconfig is refused with a word about "%s"', async (word, settings) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-kubeconfig-'));
  const path = join(folder.path, 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: settings }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  await writeFile(path, JSON.stringify(config));
  await expect(openKubeconfigConnection({ path, clock: systemClock })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(word),
  });
});
