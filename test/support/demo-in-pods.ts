import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { JsonClient } from '#test/cluster/json-client.ts';
import { runKubectl, type KubectlSetup } from '#test/cluster/kubectl.ts';
import { KvServer } from '#test/cluster/kv-server.ts';
import { createAuthority, issueCertificate } from '#test/cluster/pki.ts';
import { eventually } from './eventually.ts';
import { forwardPort } from './port-forward.ts';

/*
 * The main job in pods: OpenBao with TLS and the kubernetes auth method, the operator from the chart, a migration with the
 * sourcePolicy Project, a workload that reads the Secret, and one that sees a value which is rotated in OpenBao. `make kind` runs
 * it in a kind cluster, test/node on a real node.
 */

const CHART = join(import.meta.dirname, '../../charts/keyferry');
const MANIFESTS = join(import.meta.dirname, '../kind');
const ADDRESS = 'https://openbao.openbao.svc:8200';
const AUDIENCE = 'keyferry.io/openbao';
/** Where the migration puts the Secret `database`. */
const DOCUMENT = 'secret/data/payments/payments/database';
const DEADLINE = { deadlineMs: 120_000, pollMs: 500 };
const POLICY = `
path "secret/data/payments/*"     { capabilities = ["create", "update", "read"] }
path "secret/metadata/payments/*" { capabilities = ["create", "update", "patch", "read", "list"] }
path "secret/metadata/payments"   { capabilities = ["list"] }
path "secret/config"              { capabilities = ["read"] }
`;

/** Where it runs. */
export interface Place {
  readonly kubectl: KubectlSetup;
  readonly helm: KubectlSetup;
  /** The KV server: Vault has no static seal, so its key share unseals it. */
  readonly product: 'openbao' | 'vault';
  /** Changes a manifest of test/kind, which says OPENBAO_IMAGE where the image belongs. */
  readonly adapt: (manifest: string) => string;
  /** For the chart, beside the address of the server. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Runs kubectl and returns its output. Throws with what it said. */
async function kubectl(place: Place, args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await runKubectl(place.kubectl, args, { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

async function apply(place: Place, object: object): Promise<void> {
  await kubectl(place, ['apply', '--server-side', '-f', '-'], JSON.stringify(object));
}

async function applyFile(place: Place, name: string): Promise<void> {
  const manifest = place.adapt(readFileSync(join(MANIFESTS, name), 'utf8'));
  await kubectl(place, ['apply', '--server-side', '-f', '-'], manifest);
}

/** The server runs, and is not initialized yet unless this is not the first time. */
export async function startOpenBao(place: Place): Promise<void> {
  for (const name of ['openbao', 'payments']) {
    await apply(place, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const known = await kubectl(place, secretNamed('openbao-server', ['-o', 'name']));
  // A second run keeps the seal key: without it the data of the server cannot be read.
  if (known === '') await createServerSecret(place);
  await applyFile(place, 'openbao.yaml');
  await kubectl(place, ['rollout', 'status', 'statefulset/openbao', '-n', 'openbao', '--timeout=180s']);
}

function secretNamed(name: string, output: readonly string[]): readonly string[] {
  return ['get', 'secret', name, '-n', 'openbao', '--ignore-not-found', ...output];
}

async function createServerSecret(place: Place): Promise<void> {
  const authority = await createAuthority('keyferry-kind');
  const server = await issueCertificate(authority, {
    commonName: 'openbao',
    dnsNames: ['openbao.openbao.svc', 'localhost'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  });
  const ca = { 'ca.crt': authority.certificate };
  const files = { ...ca, 'tls.crt': server.certificate, 'tls.key': server.key, 'seal.key': randomBytes(32) };
  await apply(place, aSecretOf('openbao', 'openbao-server', files));
  await apply(place, aSecretOf('payments', 'openbao-ca', ca));
}

function aSecretOf(
  namespace: string,
  name: string,
  files: Readonly<Record<string, string | Buffer>>,
): object {
  const data = Object.entries(files).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, data: Object.fromEntries(data) };
}

/**
 * Initializes the server, and sets up what a team needs: a mount, a policy, and a role for its ServiceAccount. The root token
 * is in a Secret of the server's namespace, for this trial only; with it, a second run completes what a first one began.
 */
export async function setUpOpenBao(place: Place): Promise<void> {
  await withOpenBao(place, async (client) => {
    const server = new KvServer(client, place.product);
    const { initialized } = await client.request<{ initialized: boolean }>('GET', '/v1/sys/init');
    if (!initialized) await initialize(place, server);
    await eventually('OpenBao is active', () => server.isActive(), DEADLINE);
    await configure(await asking(place, client));
  });
}

async function withOpenBao(place: Place, work: (client: JsonClient) => Promise<void>): Promise<void> {
  const ca = Buffer.from(
    await secretField(place, 'openbao-server', String.raw`ca\.crt`),
    'base64',
  ).toString();
  using forward = await forwardPort(place.kubectl, 'openbao/openbao-0', 8200);
  const client = new JsonClient({ origin: `https://127.0.0.1:${forward.port}`, ca });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

type Ask = (method: string, path: string, body?: object) => Promise<unknown>;

/** Requests as root. */
async function asking(place: Place, client: JsonClient): Promise<Ask> {
  const token = Buffer.from(await secretField(place, 'openbao-root', 'token'), 'base64').toString();
  return async (method, path, body) =>
    await client.request(method, `/v1/${path}`, body, { 'x-vault-token': token });
}

async function secretField(place: Place, name: string, field: string): Promise<string> {
  return await kubectl(place, secretNamed(name, ['-o', `jsonpath={.data.${field}}`]));
}

async function initialize(place: Place, server: KvServer): Promise<void> {
  const { rootToken, unsealKey } = await server.initialize();
  await apply(place, aSecretOf('openbao', 'openbao-root', { token: rootToken }));
  if (unsealKey !== undefined) await server.unseal(unsealKey);
}

/** Each step can be repeated. */
async function configure(ask: Ask): Promise<void> {
  const mounted = async (list: string): Promise<object> => z.looseObject({}).parse(await ask('GET', list));
  if (!('secret/' in (await mounted('sys/mounts')))) {
    await ask('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  }
  if (!('kubernetes/' in (await mounted('sys/auth')))) {
    await ask('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
  }
  await ask('POST', 'auth/kubernetes/config', { kubernetes_host: 'https://kubernetes.default.svc' });
  await ask('PUT', 'sys/policies/acl/payments', { policy: POLICY });
  await ask('POST', 'auth/kubernetes/role/payments', {
    bound_service_account_names: ['payments-vault'],
    bound_service_account_namespaces: ['payments'],
    audience: AUDIENCE,
    token_policies: ['payments'],
    token_ttl: '1h',
  });
  await eventually('the mount serves', async () => await ask('GET', 'secret/config'), DEADLINE);
}

/** Installs the operator or upgrades it, and waits until it is ready. */
export async function installChart(place: Place): Promise<void> {
  const values = { ...place.values, admission: { allowedAddresses: [ADDRESS] } };
  const release = ['upgrade', '--install', 'keyferry', CHART, '--namespace', 'keyferry-system'];
  const flags = ['--create-namespace', '--values', '-', '--wait', '--timeout', '3m'];
  const input = JSON.stringify(values);
  const { code, stderr } = await runKubectl(place.helm, [...release, ...flags], { input });
  if (code !== 0) throw new Error(`helm upgrade --install: ${stderr}`);
}

/** Migrates, and lets a workload read what the Secret is then. Returns what a user sees of it. */
export async function migrate(place: Place): Promise<string> {
  await applyFile(place, 'demo.yaml');
  const wait = ['wait', '-n', 'payments', '--timeout=120s'];
  await kubectl(place, [...wait, '--for=condition=Succeeded', 'secretmigration/payments']);
  const objects = 'secretbackends,secretmigrations,secrets';
  const seen = await kubectl(place, ['get', objects, '-n', 'payments']);
  await kubectl(place, ['delete', 'pod', 'workload', '-n', 'payments', '--ignore-not-found']);
  await applyFile(place, 'workload.yaml');
  await kubectl(place, [...wait, '--for=jsonpath={.status.phase}=Succeeded', 'pod/workload']);
  return seen;
}

/**
 * Rotates the password in OpenBao. A pod that runs sees it in its file, because the projected Secret follows in mode Sync. Then
 * everything is as it was before.
 */
export async function rotate(place: Place): Promise<void> {
  const wait = ['wait', '-n', 'payments', '--timeout=180s'];
  const migration = 'secretmigration/payments';
  const patch = async (spec: object): Promise<string> =>
    await kubectl(place, [
      'patch',
      migration,
      '-n',
      'payments',
      '--type=merge',
      '-p',
      JSON.stringify({ spec }),
    ]);
  await patch({ mode: 'Sync', sync: { intervalSeconds: 5 } });
  await kubectl(place, [...wait, '--for=condition=Ready', migration]);
  await kubectl(place, ['delete', 'pod', 'reader', '-n', 'payments', '--ignore-not-found']);
  await applyFile(place, 'reader.yaml');
  await kubectl(place, [...wait, '--for=condition=Ready', 'pod/reader']);

  await putPassword(place, 'battery-staple');
  await kubectl(place, [...wait, '--for=jsonpath={.status.phase}=Succeeded', 'pod/reader']);

  await putPassword(place, 'correct-horse');
  const before = Buffer.from('correct-horse').toString('base64');
  await kubectl(place, [...wait, `--for=jsonpath={.data.password}=${before}`, 'secret/database']);
  await patch({ mode: 'Once' });
  await kubectl(place, [...wait, '--for=condition=Succeeded', migration]);
}

async function putPassword(place: Place, password: string): Promise<void> {
  await withOpenBao(place, async (client) => {
    const ask = await asking(place, client);
    await ask('PUT', DOCUMENT, { data: { username: 'app', password } });
  });
}
