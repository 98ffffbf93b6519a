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

/** As the configuration says: with a kubeconfig, or as a pod of the cluster. Throws `CONFIG_INVALID`. */
export async function openConnection(config: Config, clock: Clock): Promise<KubeConnection> {
  if (config.kubeconfig !== undefined) return openKubeconfigConnection({ path: config.kubeconfig, clock });
  return openInClusterConnection({
    host: config.kubernetesServiceHost,
    port: String(config.kubernetesServicePort),
    serviceAccountDirectory: config.serviceAccountDir,
    clock,
  });
}
