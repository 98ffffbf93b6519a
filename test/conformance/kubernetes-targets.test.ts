import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubernetesDriver } from '#src/backends/kubernetes/driver.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { aDocument, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import { aNamespaceWithClient } from './kube-client.ts';
import { requestsTo } from './request-log.ts';

/* What the Kubernetes driver does for Secrets that are kept in step, on a real API server. */

const cluster = sharedCluster();
let namespace: string;
let client: HttpKubeClient;
let driver: KubernetesDriver;
const { signal } = new AbortController();

beforeAll(async () => {
  ({ namespace, client } = await aNamespaceWithClient(cluster, 'targets'));
  driver = new KubernetesDriver(client, namespace);
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await cluster.dispose();
});

const secretsPath = (name = '') => `/api/v1/namespaces/${namespace}/secrets${name && `/${name}`}`;

const patch = async (name: string, body: object): Promise<unknown> =>
  cluster.kube('PATCH', secretsPath(name), body, { 'content-type': 'application/merge-patch+json' });

interface StoredSecret {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields: readonly { readonly manager: string; readonly fieldsV1: object }[];
  };
}

const storedAt = async (name: string): Promise<StoredSecret> =>
  cluster.kube<StoredSecret>('GET', secretsPath(name));

describe('the mark of a Secret that is kept in step', () => {
  const reflects = { version: { identity: '2026-11-27T16:52:13Z', revision: '7' } };

  it('stores what a Secret reflects in the request of its value, and leaves all other metadata', async () => {
    const theirs = { labels: { team: 'web' }, annotations: { note: 'theirs' } };
    await cluster.kube('POST', secretsPath(), { metadata: { name: 'reflecting', ...theirs } });
    const { version } = presentIn(await driver.read('reflecting', signal));
    const document = { ...aDocument('reflecting', { a: '2' }), reflects };
    const requests = await requestsTo(cluster.apiserverUrl, async () => {
      await driver.write(document, version, permitted(signal));
    });
    expect(requests.filter(({ method }) => method !== 'GET')).toHaveLength(1);
    const { metadata } = await storedAt('reflecting');
    expect(metadata.labels).toEqual(theirs.labels);
    expect(metadata.annotations).toEqual({
      note: 'theirs',
      'keyferry.io/reflects': `7 2026-11-27T16:52:13Z ${version.revision}`,
    });
  });

  it('removes a mark that is not true of the value that it writes, and no other annotation', async () => {
    const document = aDocument('unmarked', { a: '1' }, { annotations: new Map([['note', 'ours']]) });
    const version = await driver.write({ ...document, reflects }, 'absent', permitted(signal));
    await driver.write(aDocument('unmarked', { a: '2' }), version, permitted(signal));
    const { metadata } = await storedAt('unmarked');
    expect(metadata.annotations).toEqual({ note: 'ours' });
  });

  it('takes no other text for its mark, and leaves the mark out of a backup', async () => {
    const marked = { ...aDocument('forged', { a: '1' }), reflects };
    await driver.write(marked, 'absent', permitted(signal));
    await patch('forged', { metadata: { annotations: { 'keyferry.io/reflects': '7  x' } } });
    const forged = presentIn(await driver.read('forged', signal));
    expect([forged.reflects, forged.isMarked]).toEqual([undefined, undefined]);
    const again = await driver.write(marked, forged.version, permitted(signal));
    const backup = await driver.backups.retire('forged', again, permitted(signal));
    const { metadata } = await storedAt(backup);
    expect(metadata.annotations).toBeUndefined();
  });

  it('owns the fields that it writes as the field manager keyferry, and no others', async () => {
    await cluster.kube('POST', `${secretsPath()}?fieldManager=theirs`, {
      metadata: { name: 'managed', labels: { team: 'web' } },
      stringData: { a: '1' },
    });
    const { version } = presentIn(await driver.read('managed', signal));
    await driver.write({ ...aDocument('managed', { a: '2' }), reflects }, version, permitted(signal));
    const { metadata } = await storedAt('managed');
    const owned = new Map(metadata.managedFields.map(({ manager, fieldsV1 }) => [manager, fieldsV1]));
    expect([...owned.keys()].toSorted()).toEqual(['keyferry', 'theirs']);
    expect(owned.get('keyferry')).toMatchObject({
      'f:data': { 'f:a': {} },
      'f:metadata': { 'f:annotations': { 'f:keyferry.io/reflects': {} } },
    });
    expect(owned.get('keyferry')).not.toHaveProperty(['f:metadata', 'f:labels']);
  });
});
