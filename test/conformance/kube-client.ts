import { KubernetesCredentials } from '#src/backends/kubernetes/credentials.ts';
import { TokenRules } from '#src/backends/kubernetes/token-rules.ts';
import type { KubeClient } from '#src/kube/client.ts';
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

/** Credentials under the rules of an operator with default flags. */
export function credentialsWith(client: KubeClient): KubernetesCredentials {
  const rules = new TokenRules({ client, audiencePrefix: 'keyferry.io/', allowApiServerAudience: false });
  return new KubernetesCredentials(client, rules);
}

/**
 * A namespace whose ServiceAccount `mover` has the rights of the operator there, and a client that acts as it. Backends log in
 * as another one: the operator requests no token of its own.
 */
export async function aNamespaceWithClient(
  cluster: Cluster,
  name: string,
): Promise<{ readonly namespace: string; readonly client: HttpKubeClient }> {
  const namespace = await cluster.createNamespace(name);
  await cluster.kube('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    metadata: { name: 'mover' },
  });
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
    subjects: [{ kind: 'ServiceAccount', name: 'mover', namespace }],
  });
  const client = kubeClientWith(cluster, await cluster.requestToken(namespace, 'mover'));
  return { namespace, client };
}

/** A loopback port without a listener. */
export const CLOSED_PORT = 1;
