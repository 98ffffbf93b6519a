import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import { secretReferencesOf } from '#src/backends/spec.ts';
import { namespaceOf } from './backend/names.ts';

/**
 * Names of the Secrets that backends need to be reached, with the backend that needs them: of those whose references are
 * in one and the same namespace, which is that of the migration.
 */
export function trustRootsOf(
  backends: Iterable<Backend>,
  kinds: readonly BackendKind[],
): ReadonlyMap<string, string> {
  const roots = new Map<string, string>();
  for (const backend of backends) {
    for (const name of secretReferencesOf(backend.spec, kinds))
      roots.set(name, `${backend.kind} ${backend.metadata.name}`);
  }
  return roots;
}

/** Where those Secrets are: beside a SecretBackend, and for the other kind where the operator was told. */
export function credentialsNamespaceOf(backend: Backend, clusterResourceNamespace: string): string {
  return namespaceOf(backend) ?? clusterResourceNamespace;
}
