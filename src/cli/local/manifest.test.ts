import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readManifest, type Manifest } from './manifest.ts';

const MIGRATION = `apiVersion: keyferry.io/v1alpha1
kind: SecretMigration
metadata: {name: payments}
spec:
  source: {backendRef: {name: files}}
  destination: {backendRef: {name: bao}}
  select: {all: true}
`;
const FILES = `apiVersion: keyferry.io/v1alpha1
kind: SecretBackend
metadata: {name: files}
spec: {type: directory, directory: {path: tokens, trailingNewline: Strip}}
`;
const BAO = `apiVersion: keyferry.io/v1alpha1
kind: SecretBackend
metadata: {name: bao}
spec:
  type: openbao
  openbao:
    address: https://bao.example:8200
    auth: {token: {secretRef: {name: bao-token}}}
`;

async function* none() {}

async function read(documents: readonly string[], namespace?: string): Promise<Manifest> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-manifest-'));
  const path = join(folder.path, 'm.yaml');
  await writeFile(path, documents.join('---\n'));
  const write = () => undefined;
  const streams = { stdin: none(), stdout: { write }, stderr: { write } };
  return await readManifest(path, { flags: { namespace }, streams });
}

/** The message of the refusal, without the folder of the file. */
async function refusal(documents: readonly string[], namespace?: string): Promise<string> {
  const problem: unknown = await read(documents, namespace).then(
    () => 'nothing was refused',
    (failure: unknown) =>
      failure instanceof Error && failure.name === 'Problem' ? failure.message : failure,
  );
  return String(problem).replace(/\/\S*\/m\.yaml/g, 'm.yaml');
}

/** What is wrong, the documents, and what the message says. */
const REFUSED: readonly (readonly [string, readonly string[], string])[] = [
  [
    'a Secret',
    [MIGRATION, 'kind: Secret\napiVersion: v1\nmetadata: {name: bao-token}\nstringData: {token: hvs.x}\n'],
    'm.yaml, document 2 (Secret bao-token) is a Secret',
  ],
  [
    'another kind',
    [MIGRATION, 'kind: ConfigMap\napiVersion: v1\n'],
    'm.yaml, document 2 (ConfigMap) is of another kind',
  ],
  ['no migration', [FILES], 'm.yaml has no SecretMigration'],
  [
    'two migrations',
    [MIGRATION, MIGRATION],
    'm.yaml, document 2 (SecretMigration payments) is a second SecretMigration',
  ],
  [
    'a backend that is missing',
    [MIGRATION, FILES],
    'm.yaml, document 1 (SecretMigration payments) names the SecretBackend bao, which is not in the file',
  ],
  [
    'a backend that is there twice',
    [MIGRATION, FILES, BAO, FILES],
    'm.yaml, document 4 (SecretBackend files) is in the file twice',
  ],
  [
    'an unknown field',
    [MIGRATION.replace('select:', 'selection: {}\n  select:'), FILES, BAO],
    'm.yaml, document 1 (SecretMigration payments): there is no field spec.selection',
  ],
  [
    'a rule of the CRD',
    [MIGRATION.replace('{all: true}', '{}'), FILES, BAO],
    'spec.select: set exactly one of names, labelSelector, prefix and all',
  ],
  [
    'a rule between fields',
    [`${MIGRATION}  mode: Sync\n  sourcePolicy: Delete\n`, FILES, BAO],
    'spec: mode Sync requires sourcePolicy Keep or Project',
  ],
  [
    'a mode that needs the operator',
    [`${MIGRATION}  mode: Sync\n`, FILES, BAO],
    'spec.mode Sync needs the operator',
  ],
  [
    'a wrong value',
    [MIGRATION, FILES.replace('Strip', 'Cut'), BAO],
    'm.yaml, document 2 (SecretBackend files): spec.directory.trailingNewline: Invalid option',
  ],
  [
    'another version of the API',
    [MIGRATION.replace('v1alpha1', 'v9')],
    'apiVersion must be keyferry.io/v1alpha1',
  ],
  [
    'a backend of another namespace',
    [MIGRATION, FILES.replace('{name: files}', '{name: files, namespace: shop}'), BAO],
    'document 2 (SecretBackend files): metadata.namespace differs',
  ],
  ['a text', ['hello\n'], 'm.yaml, document 1 is not an object'],
  [
    'no name',
    [MIGRATION.replace('name: payments', 'name: Payments'), FILES, BAO],
    'metadata.name must be a DNS-1123 subdomain',
  ],
];

describe('a manifest for a run without a cluster', () => {
  it('has the defaults of the API, and the backends that the migration uses', async () => {
    const { migration, backends } = await read([BAO, MIGRATION, FILES]);
    expect(migration.spec).toMatchObject({ mode: 'Once', sourcePolicy: 'Keep', conflictPolicy: 'Fail' });
    expect(migration.metadata.namespace).toBe('default');
    expect(backends.map(({ metadata }) => metadata.name)).toEqual(['files', 'bao']);
    expect(backends[1]?.spec.openbao).toMatchObject({ mount: 'secret', kvVersion: 2 });
  });

  it('knows the Secrets of the kubeconfig by the name that the chart gives them, and as the default', async () => {
    const named = MIGRATION.replace('{name: files}', '{kind: ClusterSecretBackend, name: kubernetes}');
    expect((await read([named, BAO])).backends[0]?.spec.type).toBe('kubernetes');
    const byDefault = MIGRATION.replace('  source: {backendRef: {name: files}}\n', '');
    expect((await read([byDefault, BAO])).backends[0]?.metadata.name).toBe('kubernetes');
  });

  it.each(REFUSED)('refuses %s, and says where it is', async (_what, documents, expected) => {
    expect(await refusal(documents)).toContain(expected);
  });

  it('does not quote what is not YAML: it can be a credential', async () => {
    const message = await refusal([`${MIGRATION}token: "hvs.canary\n`]);
    expect(message).toContain('m.yaml is not valid YAML at line');
    expect(message).not.toContain('hvs.canary');
  });

  it('refuses a namespace of the file that -n contradicts, as kubectl does', async () => {
    const own = MIGRATION.replace('{name: payments}', '{name: payments, namespace: shop}');
    expect(await refusal([own, FILES, BAO], 'other')).toContain('is not that of -n other');
    expect((await read([own, FILES, BAO], 'shop')).migration.metadata.namespace).toBe('shop');
    expect((await read([MIGRATION, FILES, BAO], 'shop')).backends[0]?.metadata).toMatchObject({
      namespace: 'shop',
    });
  });
});
