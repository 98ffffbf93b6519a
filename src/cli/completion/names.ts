import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Kind } from '#src/api/group.ts';
import { keyRowsOf } from '#src/api/v1alpha1/key-rows.ts';
import { parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { resourceOf } from '#src/app/clients.ts';
import { hasCode } from '#src/errors.ts';
import { parseJson } from '#src/json/parse.ts';
import { isJsonObject } from '#src/kube/json.ts';
import { readKubeconfigFiles } from '#src/kube/kubeconfig-files.ts';
import { collectionPath, type Resource } from '#src/kube/resource.ts';
import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import type { Line, Valued } from './position.ts';

/*
 * Names that exist now, for the values of arguments and flags. Whatever fails, fails: the caller is silent about it.
 */

const NAMESPACES: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};
/** More names than a person reads. */
const MOST = '500';
const ACCEPT_METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

type Source = (invocation: Invocation, line: Line) => Promise<readonly string[]>;

/** By the name of an argument or flag, in every command that has it. */
const SOURCES: Readonly<Record<string, Source>> = {
  name: async (invocation) => namesOf(invocation, 'SecretMigration'),
  key: keysOf,
  keys: keysOf,
  backend: backendsFor,
  from: backendsFor,
  to: backendsFor,
  namespace: async (invocation) => namespaces(invocation),
  'namespace-of-operator': async (invocation) => namespaces(invocation),
  'cluster-resource-namespace': async (invocation) => namespaces(invocation),
  'allow-namespace': async (invocation) => namespaces(invocation),
  context: contexts,
};

/** Names for this argument or flag; undefined if they are not known, or are files. */
export function sourceOf({ name }: Valued): Source | undefined {
  return new Map(Object.entries(SOURCES)).get(name);
}

async function namesOf(invocation: Invocation, kind: Kind): Promise<readonly string[]> {
  await using cluster = await UserCluster.open(invocation);
  return await listed(
    cluster,
    resourceOf(kind),
    kind === 'ClusterSecretBackend' ? undefined : cluster.namespace,
  );
}

async function namespaces(invocation: Invocation): Promise<readonly string[]> {
  await using cluster = await UserCluster.open(invocation);
  return await listed(cluster, NAMESPACES, undefined);
}

/** Those of the namespace, and the shared ones; where a command takes only one kind, those. */
async function backendsFor(invocation: Invocation, { command, flags }: Line): Promise<readonly string[]> {
  await using cluster = await UserCluster.open(invocation);
  const isShared = flags.has('cluster') || command.at(-1) === 'set-default';
  const names = await Promise.all([
    isShared ? [] : listed(cluster, resourceOf('SecretBackend'), cluster.namespace),
    listed(cluster, resourceOf('ClusterSecretBackend'), undefined).catch((thrown: unknown) => {
      // A tenant may not list them.
      if (hasCode(thrown, 'AUTH_DENIED')) return [];
      throw thrown;
    }),
  ]);
  return [...new Set(names.flat())];
}

/** Only metadata leaves the server. */
async function listed(
  { client, signal }: UserCluster,
  resource: Resource,
  namespace: string | undefined,
): Promise<readonly string[]> {
  const body = await client.request({
    method: 'GET',
    path: collectionPath(resource, namespace),
    query: { limit: MOST },
    accept: ACCEPT_METADATA_LIST,
    op: 'completion.list',
    target: resource.kind,
    signal,
  });
  const items = isJsonObject(body) && Array.isArray(body['items']) ? body['items'] : [];
  return items.flatMap((item: unknown) => {
    const metadata = isJsonObject(item) ? item['metadata'] : undefined;
    return isJsonObject(metadata) && typeof metadata['name'] === 'string' ? [metadata['name']] : [];
  });
}

/** Documents of the migration that was typed, and their keys as `document/key`: of a long table, those that need a person. */
async function keysOf(invocation: Invocation, { positionals }: Line): Promise<readonly string[]> {
  const [name] = positionals;
  if (name === undefined) return [];
  await using cluster = await UserCluster.open(invocation);
  const parsed = parseSecretMigration(await cluster.get('SecretMigration', name));
  if (!parsed.ok) return [];
  const rows = keyRowsOf(parsed.value.status.keys ?? parsed.value.status.exceptions ?? []);
  const documents = rows.map((row) => row.name);
  const keys = rows.flatMap((row) => (row.key === '' ? [] : [`${row.name}/${row.key}`]));
  return [...new Set([...documents, ...keys])].filter((each) => !positionals.includes(each));
}

async function contexts({ env, flags }: Invocation): Promise<readonly string[]> {
  const path = flags.kubeconfig ?? (env['KUBECONFIG'] || join(homedir(), '.kube', 'config'));
  const files = await readKubeconfigFiles(path);
  const names = files.flatMap(({ json }) => {
    const content: unknown = parseJson(json);
    const entries = isJsonObject(content) && Array.isArray(content['contexts']) ? content['contexts'] : [];
    return entries.flatMap((entry: unknown) =>
      isJsonObject(entry) && typeof entry['name'] === 'string' ? [entry['name']] : [],
    );
  });
  return [...new Set(names)];
}
