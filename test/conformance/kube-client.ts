import { HttpKubeClient } from '#src/kube/transport.ts';
import type { Metrics } from '#src/ports.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import type { Cluster } from '#test/cluster/cluster.ts';

export const noMetrics: Metrics = {
  count: () => undefined,
  observe: () => undefined,
  gauge: () => undefined,
};

/** A client that acts with this bearer token. */
export function kubeClientWith(
  cluster: Cluster,
  bearer: string,
  server = cluster.apiserverUrl,
): HttpKubeClient {
  return new HttpKubeClient({
    connection: {
      server: new URL(server),
      namespace: 'default',
      tls: () => Promise.resolve({ ca: cluster.apiserverCaPem }),
      authorization: () => Promise.resolve(`Bearer ${bearer}`),
      forgetAuthorization: () => undefined,
    },
    mandate: ALWAYS_HELD,
    clock: systemClock,
    random: Math.random,
    metrics: noMetrics,
    version: 'test',
    requestTimeoutMs: 20_000,
  });
}

/** A namespace whose ServiceAccount `default` has the rights of the operator there, and a client that acts as it. */
export async function aNamespaceWithClient(
  cluster: Cluster,
  name: string,
): Promise<{ readonly namespace: string; readonly client: HttpKubeClient }> {
  const namespace = await cluster.createNamespace(name);
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  await cluster.kube('POST', `${rbac}/roles`, {
    metadata: { name: 'mover' },
    rules: [
      { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'patch', 'delete'] },
      { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
    ],
  });
  await cluster.kube('POST', `${rbac}/rolebindings`, {
    metadata: { name: 'mover' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'mover' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
  });
  const client = kubeClientWith(cluster, await cluster.requestToken(namespace, 'default'));
  return { namespace, client };
}

/** A loopback port without a listener. */
export const CLOSED_PORT = 1;
