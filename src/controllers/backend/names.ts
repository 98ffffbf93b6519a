import {
  asksToBeDefault,
  type Backend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { BackendRef } from '#src/api/v1alpha1/secret-migration.ts';

/** Undefined for a ClusterSecretBackend. */
export function namespaceOf(backend: Backend): string | undefined {
  return backend.kind === 'SecretBackend' ? backend.metadata.namespace : undefined;
}

/** The name of a backend in messages: `SecretBackend namespace/name` or `ClusterSecretBackend name`. */
export function titleOf({ kind, namespace, name }: BackendRef & { readonly namespace: string }): string {
  return kind === 'SecretBackend' ? `${kind} ${namespace}/${name}` : `${kind} ${name}`;
}

/** The name of a backend in the status of a migration: `SecretBackend/bao`. */
export function shortNameOf({ kind, metadata }: Backend): string {
  return `${kind}/${metadata.name}`;
}

/** The default backend: the oldest of those with the annotation. Undefined if none has it. */
export function defaultOf(backends: Iterable<ClusterSecretBackend>): ClusterSecretBackend | undefined {
  return [...backends].filter(asksToBeDefault).toSorted(byAge)[0];
}

function byAge({ metadata: left }: ClusterSecretBackend, { metadata: right }: ClusterSecretBackend): number {
  const { creationTimestamp: atLeft = '' } = left;
  const { creationTimestamp: atRight = '' } = right;
  if (atLeft !== atRight) return atLeft < atRight ? -1 : 1;
  return left.name < right.name ? -1 : 1;
}
