import { API_VERSION, DEFAULT_BACKEND_ANNOTATION } from '#src/api/group.ts';
import {
  ALL_NAMESPACES,
  asksToBeDefault,
  parseClusterSecretBackend,
  type Backend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { parseSecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import {
  parseSecretMigration,
  type BackendRef,
  type SecretMigration,
} from '#src/api/v1alpha1/secret-migration.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { ObjectNameSchema } from '#src/schema/meta.ts';
import type { Observed, Parsed } from '#src/schema/parse.ts';
import type { Invocation } from '../invocation.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';
import { readDocuments, titleOf, type Located } from './documents.ts';

/** One SecretMigration and the backends that it names, as a file has them: with defaults, and not stored anywhere yet. */
export interface Manifest {
  readonly migration: SecretMigration;
  /** Those that the migration uses: one if both ends are the same. */
  readonly backends: readonly Backend[];
  /** False: neither the file nor `-n` says it, and it is `default`. */
  readonly hasNamespace: boolean;
}

/** The same in another namespace. */
export function inNamespace({ migration, backends, hasNamespace }: Manifest, namespace: string): Manifest {
  const moved = <T extends SecretMigration | Backend>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, namespace },
  });
  return {
    migration: moved(migration),
    backends: backends.map((backend) => (backend.kind === 'SecretBackend' ? moved(backend) : backend)),
    hasNamespace,
  };
}

/** The Secrets of the cluster of the kubeconfig, under the name that the chart gives them. */
const KUBERNETES: JsonObject = {
  apiVersion: API_VERSION,
  kind: 'ClusterSecretBackend',
  metadata: { name: 'kubernetes', annotations: { [DEFAULT_BACKEND_ANNOTATION]: 'true' } },
  spec: { type: 'kubernetes', kubernetes: {}, allowedNamespaces: [ALL_NAMESPACES] },
};

/**
 * Reads one SecretMigration and its backends; `-` is the standard input. Throws `Problem` with the document, the field and what
 * to do: the rules are those of the CRDs.
 */
export async function readManifest(
  path: string,
  { flags: { namespace }, streams }: Pick<Invocation, 'flags' | 'streams'>,
): Promise<Manifest> {
  const title = titleOf(path);
  const documents = await readDocuments(path, streams.stdin);
  const [first, second] = documents.filter(({ object }) => object['kind'] === 'SecretMigration');
  if (first === undefined)
    throw new Problem(`${title} has no SecretMigration. Add the migration that is to run.`);
  if (second !== undefined)
    throw new Problem(`${second.where} is a second SecretMigration. Give each one a file of its own.`);
  const migration = migrationIn(first, namespace);
  const hasNamespace = (namespace ?? namespaceIn(first)) !== undefined;
  return { migration, backends: backendsIn(documents, migration, first.where), hasNamespace };
}

function migrationIn(located: Located, namespace: string | undefined): SecretMigration {
  const { where, object } = located;
  const own = namespaceIn(located);
  if (own !== undefined && namespace !== undefined && own !== namespace)
    throw new Problem(`${where}: metadata.namespace is not that of -n ${namespace}. Remove one of them.`);
  const migration = parsed(parseSecretMigration, located, own ?? namespace ?? 'default');
  if (migration.spec.mode === 'Sync')
    throw new Problem(
      `${where}: spec.mode Sync needs the operator, which follows each change. Use mode Once, or apply the file to a cluster that has the operator.`,
    );
  return { ...migration, metadata: { ...migration.metadata, ...marksIn(object) } };
}

function backendsIn(
  documents: readonly Located[],
  { metadata: { namespace }, spec }: SecretMigration,
  where: string,
): readonly Backend[] {
  const all = new Map<string, Backend>();
  for (const located of documents) {
    if (located.object['kind'] === 'SecretMigration') continue;
    const backend = backendIn(located, namespace);
    const key = keyOf({ kind: backend.kind, name: backend.metadata.name });
    if (all.has(key)) throw new Problem(`${located.where} is in the file twice. Remove one of them.`);
    all.set(key, backend);
  }
  const builtIn = { where: 'ClusterSecretBackend kubernetes', object: KUBERNETES };
  if (!all.has(keyOf(BUILT_IN))) all.set(keyOf(BUILT_IN), backendIn(builtIn, namespace));
  const byDefault = [...all.values()].find(asksToBeDefault);
  const used = [spec.source.backendRef, spec.destination.backendRef].map((named) => {
    const backend = named === undefined ? byDefault : all.get(keyOf(named));
    if (backend !== undefined) return backend;
    if (named === undefined) throw new Problem(NO_DEFAULT);
    throw new Problem(
      `${where} names the ${named.kind} ${named.name}, which is not in the file. Add it as another document.`,
    );
  });
  return [...new Set(used)];
}

const BUILT_IN = { kind: 'ClusterSecretBackend', name: 'kubernetes' } as const;
const NO_DEFAULT = `The migration names no backend for an end, and no ClusterSecretBackend of the file has the annotation ${DEFAULT_BACKEND_ANNOTATION}: "true". Set backendRef.`;

function keyOf({ kind, name }: Pick<BackendRef, 'kind' | 'name'>): string {
  return `${kind}/${name}`;
}

function backendIn(located: Located, namespace: string): Backend {
  const { object, where } = located;
  if (object['kind'] === 'ClusterSecretBackend')
    return withMarks(parsed(parseClusterSecretBackend, located, undefined), object);
  const own = namespaceIn(located);
  if (own !== undefined && own !== namespace)
    throw new Problem(
      `${where}: metadata.namespace differs from that of the SecretMigration. A SecretBackend is in the same namespace: remove the field.`,
    );
  return withMarks(parsed(parseSecretBackend, located, namespace), object);
}

function withMarks<T extends Backend>(backend: T, object: JsonObject): T {
  return { ...backend, metadata: { ...backend.metadata, ...marksIn(object) } };
}

function namespaceIn({ object: { metadata } }: Located): string | undefined {
  const namespace = isJsonObject(metadata) ? metadata['namespace'] : undefined;
  return typeof namespace === 'string' && namespace !== '' ? namespace : undefined;
}

/** What a person writes in the metadata besides the name. */
function marksIn({ metadata }: JsonObject): { readonly annotations?: Record<string, string> } {
  const annotations = isJsonObject(metadata) ? metadata['annotations'] : undefined;
  if (!isJsonObject(annotations)) return {};
  const texts = Object.entries(annotations).map(([name, text]) => [name, String(text)] as const);
  return { annotations: Object.fromEntries<string>(texts) };
}

/** As the API server stores it, without a status. The first problem is thrown: others are often its consequence. */
function parsed<T extends Observed>(
  parse: (object: unknown) => Parsed<T>,
  { object, where }: Located,
  namespace: string | undefined,
): T {
  const name = isJsonObject(object['metadata']) ? object['metadata']['name'] : undefined;
  const { error } = ObjectNameSchema.safeParse(name);
  if (error !== undefined) throw new Problem(`${where}: metadata.name ${error.issues[0]?.message ?? ''}.`);
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }), ...NEW };
  const { apiVersion, kind, spec } = object;
  const result = parse({ apiVersion, kind, metadata, spec });
  if (!result.ok) throw new Problem(`${where}: ${printable(result.problems[0] ?? 'is not valid')}.`);
  const [unknown] = result.value.unknownFields ?? [];
  if (unknown === undefined) return result.value;
  throw new Problem(`${where}: there is no field ${printable(unknown)}. Correct its name, or remove it.`);
}

/** Replaced when the object is stored. */
const NEW = { uid: 'new', resourceVersion: '0', generation: 1 };
