import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { asksToBeDefault } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { namespaceOf } from '#src/controllers/backend/names.ts';
import type { UserCluster } from '../cluster.ts';
import { listObjects, type Lister } from './stored.ts';

/** One migration that uses a backend. */
export interface Use {
  readonly namespace: string;
  readonly name: string;
  readonly as: readonly ('source' | 'destination')[];
}

/** Which migrations use a backend, and whether those of all namespaces could be asked. */
export interface Usage {
  readonly uses: readonly Use[];
  readonly isComplete: boolean;
}

/** The migrations that use the backend, as far as the user may list them. */
export async function usageOf(cluster: UserCluster, backend: Backend): Promise<Usage> {
  const own = namespaceOf(backend);
  const everywhere = await listObjects(cluster, 'SecretMigration', own);
  const listed =
    everywhere ??
    (own === undefined ? await listObjects(cluster, 'SecretMigration', cluster.namespace) : undefined);
  const migrations = (listed ?? []).flatMap((object) => {
    const parsed = parseSecretMigration(object);
    return parsed.ok ? [parsed.value] : [];
  });
  const uses = migrations.flatMap((migration) => useIn(migration, backend) ?? []);
  return { uses, isComplete: everywhere !== undefined && migrations.length === everywhere.length };
}

function useIn({ metadata, spec, status }: SecretMigration, backend: Backend): Use | undefined {
  const { kind, metadata: about } = backend;
  const as = (['source', 'destination'] as const).filter((role) => {
    const { backendRef } = spec[role];
    if (backendRef !== undefined) return backendRef.kind === kind && backendRef.name === about.name;
    // One that started keeps the default of its start.
    const atStart = status.backends?.[role];
    return atStart === undefined ? asksToBeDefault(backend) : atStart === `${kind}/${about.name}`;
  });
  return as.length === 0 ? undefined : { namespace: metadata.namespace, name: metadata.name, as };
}

/** `shop/payments (source), shop/back (source and destination)`, at most `most` of them. */
export function inWords(uses: readonly Use[], most = 5): string {
  const named = uses
    .slice(0, most)
    .map(({ namespace, name, as }) => `${namespace}/${name} (${as.join(' and ')})`);
  const more = uses.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/**
 * Migrations that name no backend and started with another default than this: they stop with `DefaultChanged`. As far as the
 * user may list them.
 */
export async function startedWithOther(
  cluster: Lister & Pick<UserCluster, 'namespace'>,
  name: string,
): Promise<readonly Use[]> {
  const objects =
    (await listObjects(cluster, 'SecretMigration', undefined)) ??
    (await listObjects(cluster, 'SecretMigration', cluster.namespace));
  return (objects ?? []).flatMap((object) => {
    const parsed = parseSecretMigration(object);
    if (!parsed.ok) return [];
    const { metadata, spec, status } = parsed.value;
    const as = (['source', 'destination'] as const).filter((role) => {
      const atStart = status.backends?.[role];
      return (
        spec[role].backendRef === undefined &&
        atStart !== undefined &&
        atStart !== `ClusterSecretBackend/${name}`
      );
    });
    return as.length === 0 ? [] : [{ namespace: metadata.namespace, name: metadata.name, as }];
  });
}
