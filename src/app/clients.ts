import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { GROUP, KINDS, VERSION, type Kind } from '#src/api/group.ts';
import type { Config } from '#src/config/schema.ts';
import { openInClusterConnection, type KubeConnection } from '#src/kube/config.ts';
import { openKubeconfigConnection } from '#src/kube/kubeconfig.ts';
import type { Resource } from '#src/kube/resource.ts';
import type { Clock } from '#src/ports.ts';

export const SECRETS: Resource = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};

/** Where the API server has the objects of a kind of ours. */
export function resourceOf(kind: Kind): Resource {
  const { plural, namespaced } = KINDS[kind];
  return { group: GROUP, version: VERSION, plural, kind, namespaced };
}

/** The namespace of the operator outside of a cluster: config/ and the chart's documentation install into it. */
export const DEFAULT_NAMESPACE = 'keyferry-system';

/**
 * As the configuration says: with a kubeconfig that it names, as a pod of the cluster, or with the kubeconfig of the home
 * directory, in this order; as controller-runtime's `GetConfigWithContext`. A context is always of a kubeconfig.
 * Throws `CONFIG_INVALID`.
 */
export async function openConnection(config: Config, clock: Clock): Promise<KubeConnection> {
  const path = config.kubeconfig ?? kubeconfigOfHome(config);
  if (path !== undefined) return openKubeconfigConnection({ path, context: config.context, clock });
  return openInClusterConnection({
    host: config.kubernetesServiceHost,
    port: String(config.kubernetesServicePort),
    serviceAccountDirectory: config.serviceAccountDir,
    clock,
  });
}

function kubeconfigOfHome({ context, kubernetesServiceHost }: Config): string | undefined {
  const path = join(homedir(), '.kube', 'config');
  if (context !== undefined) return path;
  return kubernetesServiceHost === undefined && existsSync(path) ? path : undefined;
}
