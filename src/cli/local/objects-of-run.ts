import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { parseClusterSecretBackend, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { placeOf, serverOf } from '#src/backends/spec.ts';
import { parseJson } from '#src/json/parse.ts';
import type { KubeObject } from '#src/kube/client.ts';
import type { Clock } from '#src/ports.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';
import { Problem } from '../problem.ts';
import type { Manifest } from './manifest.ts';

export interface RunOptions {
  /** Where the state is, for messages. */
  readonly folder: string;
  readonly clock: Pick<Clock, 'now'>;
}

type Written = SecretMigration | Backend;
/** As the API server stores it. */
type Stored = KubeObject & { readonly spec?: unknown; readonly status?: unknown };

/**
 * The objects of a run: what earlier runs stored, with the specs of the file, as `kubectl apply` would make them. Each run is a
 * requested one, so that a migration that is complete is checked again. Throws `Problem` for a change that the API server would
 * refuse: rows would then be about other stores.
 */
export function objectsOfRun(
  { migration, backends }: Manifest,
  state: readonly KubeObject[],
  { clock, folder }: RunOptions,
): readonly KubeObject[] {
  const replaced = new Set<KubeObject>();
  const store = (object: Written): KubeObject => {
    const { kind, metadata } = object;
    const before = state.find((each) => each.kind === kind && each.metadata.name === metadata.name);
    if (before === undefined) return stored(object, undefined, clock);
    replaced.add(before);
    requireSameEnds(before, object, folder);
    return stored(object, before, clock);
  };
  const own = store(requested(migration, clock));
  const used = backends.map(store);
  const others = state.filter((object) => !replaced.has(object));
  const another = others.find(({ kind }) => kind === 'SecretMigration');
  if (another === undefined) return [own, ...used, ...others];
  throw new Problem(
    `The folder ${folder} is the state of the SecretMigration ${another.metadata.name}. Name another folder with --state.`,
  );
}

function requested(migration: SecretMigration, clock: Pick<Clock, 'now'>): SecretMigration {
  const { metadata } = migration;
  const token = `${toKubernetesTime(clock.now())} ${randomUUID()}`;
  const annotations = { ...metadata.annotations, [RECONCILE_REQUESTED_ANNOTATION]: token };
  return { ...migration, metadata: { ...metadata, annotations } };
}

/** The generation counts the changes of the spec. */
function stored(object: Written, before: Stored | undefined, clock: Pick<Clock, 'now'>): Stored {
  const { apiVersion, kind } = object;
  const spec: unknown = parseJson(JSON.stringify(object.spec));
  const identity = before?.metadata ?? {
    uid: randomUUID(),
    resourceVersion: '1',
    generation: 0,
    creationTimestamp: toKubernetesTime(clock.now()),
  };
  const { uid, resourceVersion, generation = 0, creationTimestamp } = identity;
  const { uid: _uid, resourceVersion: _version, ...written } = object.metadata;
  const current = isDeepStrictEqual(before?.spec, spec) ? generation : generation + 1;
  const metadata = { ...written, uid, resourceVersion, creationTimestamp, generation: current };
  return { apiVersion, kind, metadata, spec, ...(before === undefined ? {} : { status: before.status }) };
}

/** What is immutable in a cluster. */
function requireSameEnds(before: KubeObject, object: Written, folder: string): void {
  const changed =
    object.kind === 'SecretMigration' ? changedEnd(before, object) : changedStore(before, object);
  if (changed === undefined) return;
  throw new Problem(
    `${object.kind} ${object.metadata.name}: ${changed} differs from earlier runs, and the rows in ${folder} are about those. Give the migration another name, or name another folder with --state.`,
  );
}

function changedEnd(before: KubeObject, { spec }: SecretMigration): string | undefined {
  const parsed = parseSecretMigration(before);
  if (!parsed.ok) return 'the version of Keyferry';
  const { source, destination } = parsed.value.spec;
  if (!isDeepStrictEqual(source, spec.source)) return 'spec.source';
  return isDeepStrictEqual(destination, spec.destination) ? undefined : 'spec.destination';
}

function changedStore(before: KubeObject, { kind, spec }: Backend): string | undefined {
  const parsed = kind === 'SecretBackend' ? parseSecretBackend(before) : parseClusterSecretBackend(before);
  if (!parsed.ok) return 'the version of Keyferry';
  const old = parsed.value.spec;
  const isSame =
    old.type === spec.type &&
    placeOf(old, BACKEND_KINDS) === placeOf(spec, BACKEND_KINDS) &&
    serverOf(old, BACKEND_KINDS) === serverOf(spec, BACKEND_KINDS);
  return isSame ? undefined : 'the store of the backend';
}
