import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { resourceOf } from '#src/app/clients.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { describeTarget, objectPath } from '#src/kube/resource.ts';
import type { UserCluster } from '../cluster.ts';

/**
 * Sets annotations of a backend, or removes those that are null, only while it is in the version that was read:
 * `VERSION_CONFLICT` otherwise. Nothing in a backend is a value, so the text of an admission policy is shown.
 */
export async function annotate(
  { client, signal }: Pick<UserCluster, 'client' | 'signal'>,
  kind: Backend['kind'],
  { name, namespace, uid, resourceVersion }: KubeObject['metadata'],
  annotations: Readonly<Record<string, string | null>>,
): Promise<void> {
  const resource = resourceOf(kind);
  const object = { name, namespace };
  await client.request({
    method: 'PATCH',
    path: objectPath(resource, object),
    query: { fieldValidation: 'Strict', fieldManager: 'keyferry' },
    contentType: 'application/merge-patch+json',
    body: { metadata: { uid, resourceVersion, annotations } },
    op: 'backend.annotate',
    target: describeTarget(resource, object),
    holdsNoValue: true,
    signal,
  });
}
