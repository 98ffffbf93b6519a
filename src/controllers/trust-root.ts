import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { namespaceOf } from './backend/names.ts';

/**
 * Names of the Secrets that backends need to be reached, with the backend that needs them: of those whose references are
 * in one and the same namespace, which is that of the migration.
 */
export function trustRootsOf(backends: Iterable<Backend>): ReadonlyMap<string, string> {
  const roots = new Map<string, string>();
  for (const backend of backends) {
    for (const name of credentialSecretsOf(backend))
      roots.set(name, `${backend.kind} ${backend.metadata.name}`);
  }
  return roots;
}

/** Secrets that this backend reads: its credentials and its CA. */
export function credentialSecretsOf(backend: Backend): readonly string[] {
  const { openbao } = backend.spec;
  if (openbao === undefined) return [];
  const { token, appRole, jwt, cert } = openbao.auth;
  const references = [token?.secretRef, appRole?.secretIdRef, jwt?.secretRef, cert?.secretRef];
  return [...references, openbao.caSecretRef].flatMap((reference) => reference?.name ?? []);
}

/** Where those Secrets are: beside a SecretBackend, and for the other kind where the operator was told. */
export function credentialsNamespaceOf(backend: Backend, clusterResourceNamespace: string): string {
  return namespaceOf(backend) ?? clusterResourceNamespace;
}
