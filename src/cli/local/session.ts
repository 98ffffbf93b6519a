import { parseClusterSecretBackend, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { errorOf, OperatorError } from '#src/errors.ts';
import { fitted, messageOf } from '#src/errors/explain.ts';
import { ServerClock } from '#src/io/server-clock.ts';
import type { KubeObject } from '#src/kube/client.ts';
import type { Parsed } from '#src/schema/parse.ts';
import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { Problem } from '../problem.ts';
import { NO_BACKENDS, readClusterBackends } from './cluster-backends.ts';
import { placesIn } from './credentials.ts';
import { inNamespace, readManifest, type Manifest } from './manifest.ts';
import { LocalObjects, NOWHERE } from './objects.ts';
import { objectsOfRun } from './objects-of-run.ts';
import { probeBackend, type LocalParts } from './parts.ts';
import { needCluster, openPool } from './pool.ts';
import { readState, StateFolder, stateFolderOf } from './state.ts';

/** The flags of a run without the operator. */
export interface LocalOptions {
  /** The manifest; `-` is the standard input. */
  readonly file: string;
  readonly credential: readonly string[];
  readonly state?: string | undefined;
  readonly directoryRoot?: string | undefined;
  readonly allowInsecureHttp: boolean;
  /** Read only: nothing is written anywhere, the state included. */
  readonly dryRun: boolean;
  /** Called with the migration whenever its status changed. */
  readonly onProgress: (migration: SecretMigration) => void;
}

/** One migration, ready to run in this process. */
export interface Session extends LocalParts {
  /** Where the rows stay; undefined in a dry run. */
  readonly folder: string | undefined;
}

/**
 * Opens everything that one migration needs, and probes its backends. What it opened is disposed of with `opened`. Throws
 * `Problem` for mistakes in the file and the flags, for a state that another run holds, and for a backend that cannot be used.
 */
export async function openSession(
  invocation: Invocation,
  options: LocalOptions,
  opened: AsyncDisposableStack,
): Promise<Session> {
  const { clock, signal } = invocation;
  const credentials = placesIn(options.credential);
  const { cluster, manifest } = await readWithCluster(invocation, options);
  if (cluster !== undefined) opened.use(cluster);
  const { namespace } = manifest.migration.metadata;
  const { allowInsecureHttp, directoryRoot } = options;
  const { backends } = manifest;
  const client = cluster?.client;
  const pool = opened.use(
    await openPool(invocation, {
      backends,
      client,
      namespace,
      credentials,
      allowInsecureHttp,
      directoryRoot,
    }),
  );
  const folder = stateFolderOf(options.file, manifest.migration.metadata, options.state);
  const store = options.dryRun ? NOWHERE : opened.use(await StateFolder.open(folder));
  const objects = new LocalObjects({
    objects: objectsOfRun(asAsked(manifest, options), await readState(folder), { folder, clock }),
    store,
    clock,
    onChange: (object) => {
      const changed = object.kind === 'SecretMigration' ? parseSecretMigration(object) : undefined;
      if (changed?.ok === true) options.onProgress(changed.value);
    },
  });
  const inCluster = client === undefined ? NO_BACKENDS : await readClusterBackends(client, namespace, signal);
  const serverClock = cluster?.serverTime ?? new ServerClock(clock);
  const parts = { client, objects, pool, inCluster, clock, serverClock, migration: migrationIn(objects) };
  await probeAll({ ...parts, backends: backendsIn(objects, backends) }, signal);
  // What the probes found is in their status.
  return { ...parts, backends: backendsIn(objects, backends), folder: options.dryRun ? undefined : folder };
}

/** The namespace of the kubeconfig counts only where a cluster is used. */
async function readWithCluster(
  invocation: Invocation,
  { file }: LocalOptions,
): Promise<{ readonly manifest: Manifest; readonly cluster: UserCluster | undefined }> {
  const manifest = await readManifest(file, invocation);
  if (!needCluster(manifest.backends)) return { manifest, cluster: undefined };
  const cluster = await UserCluster.open(invocation);
  return { manifest: manifest.hasNamespace ? manifest : inNamespace(manifest, cluster.namespace), cluster };
}

/** A dry run of a spec that is not one. */
function asAsked(manifest: Manifest, { dryRun }: LocalOptions): Manifest {
  const { migration } = manifest;
  return dryRun
    ? { ...manifest, migration: { ...migration, spec: { ...migration.spec, dryRun } } }
    : manifest;
}

/** All backends are asked before the migration begins: it would only wait for one that does not work. */
async function probeAll(parts: LocalParts, signal: AbortSignal): Promise<void> {
  for (const backend of parts.backends) {
    try {
      await probeBackend(parts, backend, signal);
    } catch (failure) {
      signal.throwIfAborted();
      // In full: unlike a tenant of a cluster, the person may know what answers where.
      const text = fitted(messageOf(errorOf(failure)), Number.POSITIVE_INFINITY);
      throw new Problem(`${backend.kind} ${backend.metadata.name} cannot be used. ${text}`);
    }
  }
}

/** The migration as it is now. */
export function migrationIn(objects: LocalObjects): SecretMigration {
  const [migration] = parsedOf(objects.ofKind('SecretMigration'), parseSecretMigration);
  if (migration === undefined) throw new OperatorError('INVARIANT', { op: 'local.migration' });
  return migration;
}

/** These backends as they are now: the state can have others, which an earlier file named. */
function backendsIn(objects: LocalObjects, used: readonly Backend[]): readonly Backend[] {
  const all = [
    ...parsedOf<Backend>(objects.ofKind('SecretBackend'), parseSecretBackend),
    ...parsedOf<Backend>(objects.ofKind('ClusterSecretBackend'), parseClusterSecretBackend),
  ];
  return all.filter((each) =>
    used.some(({ kind, metadata }) => kind === each.kind && metadata.name === each.metadata.name),
  );
}

function parsedOf<T>(objects: readonly KubeObject[], parse: (object: unknown) => Parsed<T>): readonly T[] {
  return objects.map((object) => {
    const parsed = parse(object);
    if (parsed.ok) return parsed.value;
    throw new OperatorError('SPEC_INVALID', {
      op: 'local.parse',
      target: object.metadata.name,
      detail: parsed.problems[0] ?? '',
    });
  });
}
