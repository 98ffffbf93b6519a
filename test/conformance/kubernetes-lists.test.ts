import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReadOutcome } from '#src/backends/driver.ts';
import type { Listed } from '#src/backends/listing.ts';
import type { ReadScope } from '#src/backends/hints.ts';
import { KubernetesDriver } from '#src/backends/kubernetes/driver.ts';
import type { Version } from '#src/core/document.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { collect } from '#test/support/collect.ts';
import { aDocument, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import { aNamespaceWithClient } from './kube-client.ts';
import { requestsTo } from './request-log.ts';

/* Which requests are sent for lists of Secrets, and what the API server makes of their selectors. */

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

const { signal } = new AbortController();

describe('a list of Secrets', () => {
  let own: KubernetesDriver;
  let client: HttpKubeClient;
  let path: string;
  const names = Array.from({ length: 30 }, (_, index) => `app-${String(index).padStart(2, '0')}`);

  beforeAll(async () => {
    const { namespace: listed, client: another } = await aNamespaceWithClient(cluster, 'listed');
    client = another;
    own = new KubernetesDriver(client, listed);
    path = `/api/v1/namespaces/${listed}/secrets`;
    for (const name of names) await own.write(aDocument(name, { k: name }), 'absent', permitted(signal));
    for (const [name, type] of [
      ['odd', 'example.org/a,b=c\\d'],
      ['release', 'helm.sh/release.v1'],
      ['token', 'bootstrap.kubernetes.io/token'],
      ['plain', 'Opaque'],
    ])
      await cluster.kube('POST', path, { metadata: { name }, type, stringData: { k: 'canary' } });
  });

  afterAll(() => client[Symbol.asyncDispose]());

  it('counts what no migration touches in the one list that has names, types and versions', async () => {
    const leftOut: string[] = [];
    const versions = new Map<string, string>();
    let entries: readonly Listed[] = [];
    const query = {
      folder: '',
      leftOut: (reason: string) => void leftOut.push(reason),
      onVersion: (name: string, { revision }: Version) => void versions.set(name, revision),
    };
    const requests = await requestsTo(cluster.apiserverUrl, async () => {
      entries = await collect(own.list(query, signal));
    });
    const lists = requests.filter((request) => request.path.startsWith(path));
    expect(lists).toHaveLength(1);
    expect(leftOut).toEqual(['ExcludedType', 'ExcludedType']);
    const types = new Map(entries.map((each) => [each.address, 'type' in each ? each.type : undefined]));
    expect(types.get('odd')).toBe('example.org/a,b=c\\d');
    expect(types.get('app-00')).toBe('Opaque');
    expect([...types.keys()].toSorted()).toEqual([...names, 'odd', 'plain'].toSorted());
    expect(versions.get('app-00')).toBe(presentIn(await own.read('app-00', signal)).version.revision);
  });

  it.each<[string, ReadScope]>([
    ['those of other types', { listed: 31, withoutTypes: ['example.org/a,b=c\\d'] }],
    ['all but those of others', {}],
    ['those of Keyferry', { areOurs: true }],
  ])('reads %s in pages that have no other value', async (_what, scope) => {
    let outcomes: readonly ReadOutcome[] = [];
    const requests = await requestsTo(cluster.apiserverUrl, async () => {
      outcomes = await collect(own.readMany(names, signal, scope));
    });
    expect(outcomes.map(({ address }) => address).toSorted()).toEqual(names);
    const pages = requests.filter((request) => request.path.includes('limit=40'));
    expect(pages).toHaveLength(1);
    const { items } = await cluster.kube<{ items: { metadata: { name: string } }[] }>(
      'GET',
      pages[0]?.path.replace('limit=40', 'limit=500') ?? '',
    );
    expect(items.map(({ metadata }) => metadata.name).toSorted()).toEqual(names);
  });
});
