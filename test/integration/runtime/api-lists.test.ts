import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SecretUses, type Use } from '#src/controllers/uses/secret-uses.ts';
import type { KubeClient } from '#src/kube/client.ts';
import { ApiLists } from '#src/runtime/api-lists.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { openAdminClient, openPodClient } from './real-client.ts';

/* Which resources the real API server serves, and who uses Secrets there. */

const cluster = sharedCluster();
const { signal } = new AbortController();
let admin: KubeClient;

beforeAll(async () => (admin = await openAdminClient(cluster)));
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
  await cluster.dispose();
});

async function usersOf(client: KubeClient, namespace: string, secret: string): Promise<Use> {
  const uses = new SecretUses({ clock: systemClock, lists: new ApiLists(client, systemClock) });
  return uses.usersOf(
    { namespace, secret, asked: { for: 'removal', signal }, since: 0 },
    { suppliesCa: true },
  );
}

describe('a resource', () => {
  it.each<[object, object | string]>([
    [{ plural: 'pods' }, { version: 'v1', kind: 'Pod', namespaced: true }],
    [
      { group: 'apps', plural: 'deployments' },
      { group: 'apps', version: 'v1', kind: 'Deployment' },
    ],
    [
      { group: 'rbac.authorization.k8s.io', plural: 'clusterroles' },
      { kind: 'ClusterRole', namespaced: false },
    ],
    [{ group: 'no-such-group.example.com', plural: 'widgets' }, 'unserved'],
    [{ group: 'apps', version: 'v0', plural: 'deployments' }, 'unknown'],
    [{ group: 'apps', version: 'v1', plural: 'widgets' }, 'unknown'],
    [{ version: 'v2', plural: 'pods' }, 'unknown'],
  ])('%j is found as %j', async (resource, found) => {
    const wanted = { group: '', plural: '', ...resource };
    const served = await new ApiLists(admin, systemClock).find(wanted, signal);
    if (typeof found === 'string') expect(served).toBe(found);
    else expect(served).toMatchObject(found);
  });
});

describe('the users of a Secret', () => {
  it('are found in each kind that the API server serves', async () => {
    const namespace = await cluster.createNamespace('uses');
    const secretRef = { name: 'db' };
    const template = {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'example.invalid/web', envFrom: [{ secretRef }] }] },
    };
    const selector = { matchLabels: { app: 'web' } };
    const create = async (group: string, plural: string, object: object): Promise<void> => {
      const path = `/${group}/namespaces/${namespace}/${plural}`;
      await cluster.kube('POST', path, { metadata: { name: 'web' }, ...object });
    };
    await create('apis/apps/v1', 'deployments', { spec: { replicas: 0, selector, template } });
    await create('apis/apps/v1', 'statefulsets', {
      spec: { replicas: 0, serviceName: 'web', selector, template },
    });
    await create('apis/apps/v1', 'daemonsets', { spec: { selector, template } });
    const job = { template: { spec: { ...template.spec, restartPolicy: 'Never' } } };
    await create('apis/batch/v1', 'jobs', { spec: { suspend: true, ...job } });
    await create('apis/batch/v1', 'cronjobs', {
      spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: job } },
    });
    await create('apis/networking.k8s.io/v1', 'ingresses', {
      spec: {
        defaultBackend: { service: { name: 'web', port: { number: 80 } } },
        tls: [{ secretName: 'db' }],
      },
    });
    await create('api/v1', 'serviceaccounts', { imagePullSecrets: [secretRef] });
    await create('api/v1', 'pods', { spec: template.spec });
    const { unknown, users } = await usersOf(admin, namespace, 'db');
    expect(unknown).toBeUndefined();
    expect(users.first).toEqual(['Deployment web', 'StatefulSet web']);
    expect(users.count).toBeGreaterThanOrEqual(8);
    expect((await usersOf(admin, namespace, 'another')).users.count).toBe(0);
  });

  it('are unknown to an account without a right', async () => {
    const namespace = await cluster.createNamespace('uses');
    await using client = await openPodClient(cluster, namespace, 'default');
    const { unknown, users } = await usersOf(client, namespace, 'db');
    expect(users.count).toBe(0);
    expect(unknown?.happened).toMatch(/^The operator may not list \S+ in \S+\.$/);
  });
});
