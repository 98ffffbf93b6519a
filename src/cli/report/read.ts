import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { hasCode } from '#src/errors.ts';
import { explain } from '#src/errors/explain.ts';
import { toBackend } from '../backend/stored.ts';
import type { UserCluster } from '../cluster.ts';
import { Problem } from '../problem.ts';
import { readTable } from '../rows.ts';
import { migrationOf } from '../secret-migrations.ts';
import type { EvidenceBackend } from './evidence.ts';
import type { Observed } from './model.ts';

/** A running migration can change while its reports are read. */
const TRIES = 5;

/** Reads a migration, its rows and its backends, all of one state of the migration. Throws `Problem` if there is none. */
export async function observe(cluster: UserCluster, name: string, signal: AbortSignal): Promise<Observed> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const raw = await cluster.get('SecretMigration', name);
    const migration = migrationOf(raw);
    const table = await readTable(cluster, migration, signal);
    const backends = await backendsOf(cluster, migration);
    const again = await cluster.get('SecretMigration', name);
    if (again.metadata.resourceVersion === raw.metadata.resourceVersion)
      return { migration, raw, ...table, backends };
  }
  throw new Problem(
    `The SecretMigration ${name} changed each time while its rows were read. Wait for the end of its run (kubectl wait secretmigration/${name} --for=condition=Ready), or pause it: keyferry suspend ${name}.`,
  );
}

type Side = EvidenceBackend['side'];
type Kind = 'SecretBackend' | 'ClusterSecretBackend';

async function backendsOf(cluster: UserCluster, migration: SecretMigration): Promise<EvidenceBackend[]> {
  const sides = ['source', 'destination'] as const;
  return Promise.all(
    sides.map(async (side) => {
      const used = usedBackend(migration, side);
      if (used !== undefined) return backendOf(cluster, { side, ...used });
      const unknown = 'The spec names none, and no run has recorded the default backend yet.';
      return { side, kind: '', name: '', unknown };
    }),
  );
}

/** The backend that the last run used, or the one that the spec names. */
function usedBackend(
  { spec, status }: SecretMigration,
  side: Side,
): { readonly kind: Kind; readonly name: string } | undefined {
  const [kind, name] = status.backends?.[side].split('/', 2) ?? [];
  if (name !== undefined && (kind === 'SecretBackend' || kind === 'ClusterSecretBackend'))
    return { kind, name };
  return spec[side].backendRef;
}

async function backendOf(
  cluster: UserCluster,
  about: { readonly side: Side; readonly kind: Kind; readonly name: string },
): Promise<EvidenceBackend> {
  const { kind, name } = about;
  try {
    const object = await cluster.get(kind, name);
    const backend = toBackend(object);
    if (backend === undefined) return { ...about, unknown: `It is not a ${kind} of this version.` };
    const { metadata, spec, status } = backend;
    return {
      ...about,
      uid: metadata.uid,
      generation: metadata.generation,
      type: spec.type,
      ...(status.identity === undefined ? {} : { identity: status.identity }),
      ...(status.identityPlace === undefined ? {} : { place: status.identityPlace }),
      ...(status.server === undefined ? {} : { server: status.server }),
    };
  } catch (failure) {
    if (failure instanceof Problem) return { ...about, unknown: failure.message };
    if (hasCode(failure, 'AUTH_DENIED')) return { ...about, unknown: explain(failure) };
    throw failure;
  }
}
