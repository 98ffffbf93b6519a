import type { Backend, ClusterSecretBackend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import { secretReferencesOf } from '#src/backends/spec.ts';
import { documentation } from '#src/errors/documentation.ts';
import type { CachedObject, ReadonlyStore } from '#src/runtime/store.ts';
import { namespaceOf } from './names.ts';
import { hasUnknownFields } from '../unknown-fields.ts';

/** Which backends cannot be listed, for a message. */
export interface UnlistedBackends {
  /** Who lacks which right: `the operator may not list ClusterSecretBackends`. */
  readonly lacks: string;
  /** Who can grant it. */
  readonly hint: string;
}

/** What an operator lacks that works without ClusterSecretBackends. */
export const OPERATOR_MAY_NOT_LIST: UnlistedBackends = {
  lacks: 'the operator may not list ClusterSecretBackends',
  hint: `Grant it list and watch on them: ${documentation('security/rbac.md')}.`,
};

/** The backends that the caches hold, and what tells which Secrets they read. */
export interface BackendReferences {
  readonly cache: ReadonlyStore<SecretBackend>;
  readonly clusterCache: ReadonlyStore<ClusterSecretBackend>;
  /** Backends that exist and are in neither cache, because this version cannot parse them. */
  readonly unparsed: {
    readonly backends: ReadonlyMap<string, CachedObject['metadata']>;
    readonly clusterBackends: ReadonlyMap<string, CachedObject['metadata']>;
  };
  /** Set while backends may not be listed: one that is not known can read a Secret. */
  readonly unlistedBackends: () => UnlistedBackends | undefined;
  /** Where the Secrets are that ClusterSecretBackends refer to. */
  readonly clusterResourceNamespace: string;
  readonly kinds: readonly BackendKind[];
}

/** The Secrets of a namespace that no migration may remove, each with a backend that reads it. */
export function trustRootsIn(references: BackendReferences, namespace: string): ReadonlyMap<string, string> {
  return trustRootsOf(backendsReadingFrom(references, namespace), references.kinds);
}

/** A backend of which nobody can tell which Secrets of this namespace it reads, or undefined. */
export function unparsedBackendIn(references: BackendReferences, namespace: string): string | undefined {
  const { unparsed, clusterResourceNamespace } = references;
  // A field that another version added can refer to a Secret.
  const partly = backendsReadingFrom(references, namespace).find(hasUnknownFields);
  if (partly !== undefined) return `${partly.kind} ${partly.metadata.name}`;
  const own = [...unparsed.backends.values()].find((metadata) => metadata.namespace === namespace);
  if (own !== undefined) return `SecretBackend ${own.name}`;
  const [shared] = namespace === clusterResourceNamespace ? unparsed.clusterBackends.values() : [];
  return shared && `ClusterSecretBackend ${shared.name}`;
}

/** Set if backends that may not be listed can read Secrets of this namespace. */
export function unlistedBackendsIn(
  {
    clusterResourceNamespace,
    unlistedBackends,
  }: Pick<BackendReferences, 'clusterResourceNamespace' | 'unlistedBackends'>,
  namespace: string,
): UnlistedBackends | undefined {
  return namespace === clusterResourceNamespace ? unlistedBackends() : undefined;
}

/** Names of the Secrets that backends read, each with a backend that reads it. All must read from one namespace. */
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

/** The backends that read the Secret of this name and namespace. */
export function backendsReading(
  references: BackendReferences,
  secret: { readonly namespace: string; readonly name: string },
): readonly Backend[] {
  return backendsReadingFrom(references, secret.namespace).filter(({ spec }) =>
    secretReferencesOf(spec, references.kinds).includes(secret.name),
  );
}

/** The backends that read a Secret of this namespace, or of any. */
export function backendsReadingIn(
  references: BackendReferences,
  namespace: string | undefined,
): readonly Backend[] {
  const { cache, clusterCache, kinds } = references;
  const all =
    namespace === undefined
      ? [...cache.values(), ...clusterCache.values()]
      : backendsReadingFrom(references, namespace);
  return all.filter(({ spec }) => secretReferencesOf(spec, kinds).length > 0);
}

function backendsReadingFrom(
  { cache, clusterCache, clusterResourceNamespace }: BackendReferences,
  namespace: string,
): readonly Backend[] {
  const own = cache.byIndex('namespace', namespace);
  return namespace === clusterResourceNamespace ? [...own, ...clusterCache.values()] : own;
}

/** Where the Secrets of a backend are: beside a SecretBackend, and for the other kind where the operator was told. */
export function credentialsNamespaceOf(backend: Backend, clusterResourceNamespace: string): string {
  return namespaceOf(backend) ?? clusterResourceNamespace;
}
