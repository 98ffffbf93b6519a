import type { V1Secret } from '@kubernetes/client-node';
import type { StoredList } from '#src/kube/wire.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { filesIn, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';
import { backends, filesBackend, FOLDER, migrationOf, MOUNT } from './manifests.ts';
import { say } from './stage.ts';

/*
 * Migrations that teams wrote by hand, each as a few lines of spec (design.md §1). A scenario creates the documents of such a
 * team, runs the migration, and then reads both backends, not the status, to check every value.
 */

/** Name → value; each document has one key. */
type Values = Readonly<Record<string, string>>;

export interface DemoScenario {
  /** Column SCENARIO. */
  readonly title: string;
  /** The project that wrote the migration: column WRITTEN BY HAND IN. */
  readonly origin: string;
  readonly namespace: string;
  /** Documents in OpenBao before the migration. */
  readonly documents: Values;
  /** Secrets in Kubernetes before the migration. */
  readonly secrets: Values;
  /** Files in the folder of the namespace before the migration. */
  readonly files?: Values;
  readonly spec: object;
  /** The complete content of the backends after the migration. */
  readonly expected: { readonly documents: Values; readonly secrets: Values; readonly files?: Values };
}

const KEY = 'value';
const INSIDE = { source: { backendRef: { name: 'bao' } }, destination: { backendRef: { name: 'bao' } } };
const path = '{namespace}/{name}';

export const SCENARIOS: readonly DemoScenario[] = [
  {
    title: 'Give bare names a scope',
    origin: 'ToolHive #4346',
    namespace: 'tools',
    documents: { GITHUB_TOKEN: 'gh', REGISTRY_PASSWORD: 'reg', EDITOR: 'vi' },
    secrets: {},
    spec: {
      ...INSIDE,
      select: { all: true },
      mapping: {
        path,
        scopes: { prefix: 'tools_', separator: '_' },
        prefixes: [
          { from: 'GITHUB_', scope: 'ci' },
          { from: 'REGISTRY_', scope: 'registry' },
        ],
      },
      sourcePolicy: 'Delete',
    },
    expected: {
      documents: { tools_ci_GITHUB_TOKEN: 'gh', tools_registry_REGISTRY_PASSWORD: 'reg', EDITOR: 'vi' },
      secrets: {},
    },
  },
  {
    title: 'Read old names while they change',
    origin: 'ToolHive #4343',
    namespace: 'tools-reader',
    documents: { github: 'new', old_github: 'stale', old_registry: 'only here' },
    secrets: {},
    spec: {
      source: {
        backendRef: { name: 'bao' },
        fallback: { prefix: '{namespace}/old_', untilTime: '2100-01-01T00:00:00Z' },
      },
      destination: { backendRef: { name: 'kubernetes' } },
      select: { names: ['github', 'registry'] },
      mapping: { path },
    },
    expected: {
      documents: { github: 'new', old_github: 'stale', old_registry: 'only here' },
      secrets: { github: 'new', registry: 'only here' },
    },
  },
  {
    title: 'Composite keys in bulk',
    origin: 'ToolHive #4198',
    namespace: 'sessions',
    documents: { 'session:1': 'one', 'session:2': 'two', 'session:3:okta': 'done', 'user:7': 'ann' },
    secrets: {},
    spec: {
      ...INSIDE,
      select: { all: true },
      mapping: {
        path,
        patterns: [
          { from: 'user:{id}', to: 'user:{id}:okta', sourcePolicy: 'Keep' },
          { from: 'session:{id}', to: 'session:{id}:okta' },
        ],
      },
      sourcePolicy: 'Delete',
    },
    expected: {
      documents: {
        'session:1:okta': 'one',
        'session:2:okta': 'two',
        'session:3:okta': 'done',
        'user:7': 'ann',
        'user:7:okta': 'ann',
      },
      secrets: {},
    },
  },
  {
    title: 'Directory of token files',
    origin: 'claude-hooks TOK-1',
    namespace: 'hooks',
    documents: {},
    secrets: {},
    files: { github: 'gh-token\n', gitlab: 'gl-token\n' },
    spec: {
      source: { backendRef: { name: 'files' } },
      destination: { backendRef: { name: 'bao' } },
      select: { all: true },
      mapping: { path, overrides: [{ name: 'gitlab', path: 'hooks/gitlab-2' }] },
      sourcePolicy: 'Backup',
    },
    expected: {
      documents: { github: 'gh-token', 'gitlab-2': 'gl-token' },
      secrets: {},
      files: { '.github.migrated.bak': 'gh-token\n', '.gitlab.migrated.bak': 'gl-token\n' },
    },
  },
  {
    // Without a source: the default backend, which config/ seeds.
    title: 'Keep Secrets as a projection',
    origin: 'mcpctl #51',
    namespace: 'web',
    documents: {},
    secrets: { login: 'app', 'api-key': 'k' },
    spec: {
      destination: { backendRef: { name: 'bao' } },
      select: { all: true },
      mapping: { path },
      sourcePolicy: 'Project',
    },
    expected: { documents: { login: 'app', 'api-key': 'k' }, secrets: { login: 'app', 'api-key': 'k' } },
  },
];

/** Runs all scenarios in sequence and prints the table of verdicts. Throws at the first wrong value. */
export async function runScenarios(
  cluster: Cluster,
  migrate: (namespace: string, objects: readonly object[]) => Promise<void>,
): Promise<void> {
  const verdicts: (readonly string[])[] = [];
  for (const scenario of SCENARIOS) {
    say(`\n# ${scenario.title} (${scenario.origin})`);
    await plant(cluster, scenario);
    const server = { address: cluster.baoUrl, caBundle: cluster.baoCaPem };
    const migration = migrationOf(scenario.namespace, 'moving', scenario.spec);
    const files = scenario.files === undefined ? [] : [filesBackend(scenario.namespace)];
    await migrate(scenario.namespace, [...backends(scenario.namespace, server), ...files, migration]);
    verdicts.push([scenario.title, scenario.origin, await verdictOf(cluster, scenario)]);
  }
  say('');
  for (const row of [['SCENARIO', 'WRITTEN BY HAND IN', 'VERDICT'], ...verdicts]) {
    const [title = '', origin = '', verdict = ''] = row;
    say(`${title.padEnd(34)}${origin.padEnd(20)}${verdict}`);
  }
}

async function plant(cluster: Cluster, scenario: DemoScenario): Promise<void> {
  const { namespace } = scenario;
  plantFiles(tokenFolderOf(cluster, namespace), scenario.files ?? {});
  await cluster.kube('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  for (const [name, value] of Object.entries(scenario.secrets)) {
    const data = { [KEY]: Buffer.from(value).toString('base64') };
    await cluster.kube('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name }, data });
  }
  for (const [name, value] of Object.entries(scenario.documents)) {
    const data = { [KEY]: value };
    await cluster.bao('POST', `${MOUNT}/data/${FOLDER}/${namespace}/${name}`, { data });
  }
}

async function verdictOf(cluster: Cluster, { title, namespace, expected }: DemoScenario): Promise<string> {
  const documents = await documentsOf(cluster, namespace);
  const secrets = await secretsOf(cluster, namespace);
  const found = [...wrongIn('OpenBao', documents, expected.documents)];
  found.push(...wrongIn('Kubernetes', secrets, expected.secrets));
  const files = filesIn(tokenFolderOf(cluster, namespace));
  found.push(...wrongIn('the folder', files, expected.files ?? {}));
  if (found.length > 0) throw new Error(`${title}: ${found.join('; ')}`);
  const count = [documents, secrets, files].flatMap((values) => Object.keys(values)).length;
  return `passed: ${count}/${count} values correct`;
}

function* wrongIn(store: string, found: Values, expected: Values): Generator<string> {
  for (const name of new Set([...Object.keys(found), ...Object.keys(expected)])) {
    if (found[name] !== expected[name]) yield `${name} in ${store} is wrong`;
  }
}

/** Only readable documents: the list also contains the names of removed ones. */
async function documentsOf(cluster: Cluster, namespace: string): Promise<Values> {
  const folder = `${FOLDER}/${namespace}`;
  const { data } = await cluster.bao<{ data: { keys: readonly string[] } }>(
    'GET',
    `${MOUNT}/metadata/${folder}?list=true`,
  );
  const values: Record<string, string> = {};
  for (const name of data.keys) {
    const metadata = await cluster.bao<KeyMetadata>('GET', `${MOUNT}/metadata/${folder}/${name}`);
    const { current_version: current, versions } = metadata.data;
    if (versions[String(current)]?.deletion_time !== '') continue;
    const read = await cluster.bao<{ data: { data: Values } }>('GET', `${MOUNT}/data/${folder}/${name}`);
    values[name] = read.data.data[KEY] ?? '';
  }
  return values;
}

interface KeyMetadata {
  readonly data: {
    readonly current_version: number;
    readonly versions: Readonly<Record<string, { readonly deletion_time: string }>>;
  };
}

async function secretsOf(cluster: Cluster, namespace: string): Promise<Values> {
  const { items } = await cluster.kube<StoredList<V1Secret>>(
    'GET',
    `/api/v1/namespaces/${namespace}/secrets`,
  );
  const decoded = items.map(({ metadata, data }) => [
    metadata.name,
    Buffer.from(data?.[KEY] ?? '', 'base64').toString(),
  ]);
  return Object.fromEntries(decoded);
}
