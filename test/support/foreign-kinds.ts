import type { Cluster } from '#test/cluster/cluster.ts';
import { eventually } from './eventually.ts';

/** Kinds of others that the operator lists where they are served: group, version, kind. Their objects can be anything. */
const FOREIGN = [
  ['gateway.networking.k8s.io', 'v1', 'Gateway'],
  ['gateway.networking.k8s.io', 'v1', 'ReferenceGrant'],
  ['external-secrets.io', 'v1alpha1', 'PushSecret'],
] as const;

/** Lets the API server serve these kinds. */
export async function serveForeignKinds(cluster: Cluster): Promise<void> {
  for (const [group, version, kind] of FOREIGN) {
    const plural = `${kind.toLowerCase()}s`;
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    await cluster.kube('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      metadata: {
        name: `${plural}.${group}`,
        // Groups of Kubernetes need it.
        annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' },
      },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural, singular: kind.toLowerCase(), kind },
        versions: [{ name: version, served: true, storage: true, schema }],
      },
    });
    await eventually(`${plural} are served`, () =>
      cluster.kube('GET', `/apis/${group}/${version}/${plural}`),
    );
  }
}
