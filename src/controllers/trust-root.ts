import type { SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';

/**
 * Names of the Secrets that a backend needs to be reached, with the backend that needs them. All references stay in
 * the backend's namespace, so a migration can only ever meet those of its own.
 */
export function trustRootsOf(backends: Iterable<SecretBackend>): ReadonlyMap<string, string> {
  const roots = new Map<string, string>();
  for (const backend of backends) {
    for (const name of credentialSecretsOf(backend))
      roots.set(name, `SecretBackend ${backend.metadata.name}`);
  }
  return roots;
}

/** Secrets that this backend reads: its credentials and its CA. */
export function credentialSecretsOf(backend: SecretBackend): readonly string[] {
  const { openbao } = backend.spec;
  if (openbao === undefined) return [];
  const { token, appRole, jwt, cert } = openbao.auth;
  const references = [token?.secretRef, appRole?.secretIdRef, jwt?.secretRef, cert?.secretRef];
  return [...references, openbao.caSecretRef].flatMap((reference) => reference?.name ?? []);
}
