import { API_VERSION, DEFAULT_BACKEND_ANNOTATION, KINDS } from '#src/api/group.ts';
import {
  parseClusterSecretBackend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { Condition } from '#src/schema/meta.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { eventually } from './eventually.ts';

const COLLECTION = `/apis/${API_VERSION}/${KINDS.ClusterSecretBackend.plural}`;

/** Creates or changes a ClusterSecretBackend, as an administrator does. */
export async function applyClusterBackend(
  cluster: Cluster,
  name: string,
  object: { readonly spec: object; readonly isDefault?: boolean },
): Promise<void> {
  const annotations = object.isDefault === true ? { [DEFAULT_BACKEND_ANNOTATION]: 'true' } : {};
  await cluster.kube(
    'PATCH',
    `${COLLECTION}/${name}?fieldManager=test&force=true`,
    {
      apiVersion: API_VERSION,
      kind: 'ClusterSecretBackend',
      metadata: { name, annotations },
      spec: object.spec,
    },
    { 'content-type': 'application/apply-patch+yaml' },
  );
}

export async function patchClusterBackend(cluster: Cluster, name: string, patch: object): Promise<void> {
  await cluster.kube('PATCH', `${COLLECTION}/${name}`, patch, {
    'content-type': 'application/merge-patch+json',
  });
}

export async function deleteClusterBackend(cluster: Cluster, name: string): Promise<void> {
  await cluster.kube('DELETE', `${COLLECTION}/${name}`);
}

export async function clusterBackend(cluster: Cluster, name: string): Promise<ClusterSecretBackend> {
  const parsed = parseClusterSecretBackend(await cluster.kube('GET', `${COLLECTION}/${name}`));
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

/** Waits until Ready of a backend of either kind has this reason for the current generation; returns the condition. */
export async function untilBackend(
  read: () => Promise<Pick<ClusterSecretBackend, 'metadata' | 'status'>>,
  reason: string,
): Promise<Condition> {
  return await eventually(`the backend is ${reason}`, async () => {
    const { metadata, status } = await read();
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.reason === reason && ready.observedGeneration === metadata.generation) return ready;
    throw new Error(JSON.stringify(ready));
  });
}
