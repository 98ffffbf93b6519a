/**
 * `make kind`: a kind cluster with the published OpenBao, the operator from the chart, and the main job in pods. It can be run
 * again on the same cluster; `make kind-down` removes it.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { createAuthority, issueCertificate } from '#test/cluster/pki.ts';
import { OPENBAO_IMAGE, OPERATOR_IMAGE } from './images.ts';
import { checkRequirements } from './requirements.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLUSTER = 'keyferry';
const ADDRESS = 'https://openbao.openbao.svc:8200';
const POLICY = `
path "secret/data/payments/*"     { capabilities = ["create", "update", "read"] }
path "secret/metadata/payments/*" { capabilities = ["create", "update", "patch", "read", "list"] }
path "secret/metadata/payments"   { capabilities = ["list"] }
path "secret/config"              { capabilities = ["read"] }
`;

const work = mkdtempSync(join(tmpdir(), 'keyferry-kind-'));
const kubeconfig = join(ROOT, '.kind', 'kubeconfig');

/** Runs a program and returns its output; `input` goes to its stdin. Errors of the program are shown. */
function run(
  program: string,
  args: readonly string[],
  options: { input?: string; cwd?: string } = {},
): string {
  return execFileSync(program, args, {
    cwd: options.cwd ?? ROOT,
    input: options.input ?? '',
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ['pipe', 'pipe', 'inherit'],
    maxBuffer: 64_000_000,
  });
}

function kind(...args: readonly string[]): string {
  return run('go', ['tool', 'kind', ...args], { cwd: join(ROOT, 'test', 'cluster', 'kind') });
}

function kubectl(args: readonly string[], input?: string): string {
  return run('kubectl', args, input === undefined ? {} : { input });
}

function apply(object: object): void {
  kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(object));
}

function applyFile(name: string): void {
  const image = process.env['KEYFERRY_OPENBAO_IMAGE'] ?? OPENBAO_IMAGE;
  const text = readFileSync(join(import.meta.dirname, name), 'utf8').replaceAll('OPENBAO_IMAGE', image);
  kubectl(['apply', '--server-side', '-f', '-'], text);
}

function say(line: string): void {
  process.stdout.write(`\n== ${line}\n`);
}

function createCluster(): void {
  mkdirSync(join(ROOT, '.kind'), { recursive: true });
  const exists = kind('get', 'clusters').split('\n').includes(CLUSTER);
  if (exists) kind('export', 'kubeconfig', '--name', CLUSTER, '--kubeconfig', kubeconfig);
  else {
    const config = join(import.meta.dirname, 'cluster.yaml');
    const target = ['--name', CLUSTER, '--kubeconfig', kubeconfig];
    kind('create', 'cluster', ...target, '--config', config, '--wait', '180s');
  }
}

function loadOperator(engine: string): void {
  const archive = join(work, 'keyferry.tar');
  const { registry, repository, tag } = OPERATOR_IMAGE;
  run('make', ['image', `ENGINE=${engine}`, `IMAGE=${registry}/${repository}:${tag}`, `ARCHIVE=${archive}`]);
  kind('load', 'image-archive', archive, '--name', CLUSTER);
}

async function startOpenBao(): Promise<void> {
  for (const name of ['openbao', 'payments']) {
    apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const known = kubectl([
    'get',
    'secret',
    'openbao-server',
    '-n',
    'openbao',
    '--ignore-not-found',
    '-o',
    'name',
  ]);
  // A second run keeps the seal key: without it the data of the server cannot be read.
  if (known === '') await createServerSecret();
  applyFile('openbao.yaml');
  kubectl(['rollout', 'status', 'statefulset/openbao', '-n', 'openbao', '--timeout=180s']);
}

async function createServerSecret(): Promise<void> {
  const authority = await createAuthority('keyferry-kind');
  const server = await issueCertificate(authority, {
    commonName: 'openbao',
    dnsNames: ['openbao.openbao.svc', 'localhost'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  });
  const data = {
    'ca.crt': authority.certificate,
    'tls.crt': server.certificate,
    'tls.key': server.key,
    'seal.key': randomBytes(32),
  };
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'openbao-server', namespace: 'openbao' },
    data: Object.fromEntries(encoded),
  });
  const ca = { 'ca.crt': Buffer.from(authority.certificate).toString('base64') };
  const metadata = { name: 'openbao-ca', namespace: 'payments' };
  apply({ apiVersion: 'v1', kind: 'Secret', metadata, data: ca });
}

/** Runs `bao` in the pod. The token is on stdin and never in the arguments of a process. */
function bao(token: string, script: string): string {
  const shell = `read -r BAO_TOKEN; export BAO_TOKEN; ${script}`;
  const exec = ['exec', '-i', '-n', 'openbao', 'openbao-0', '--', 'sh', '-ec', shell];
  return kubectl(exec, `${token}\n`);
}

/** Initialises the server once; the root token is then in a Secret of its namespace, for this trial only. */
function setUpOpenBao(): void {
  const status = bao('', 'bao status -format=json || true');
  if (status.includes('"initialized": true')) return;
  const init = bao('', 'bao operator init -recovery-shares=1 -recovery-threshold=1 -format=json');
  const { root_token: token } = z.object({ root_token: z.string() }).parse(JSON.parse(init));
  const metadata = { name: 'openbao-root', namespace: 'openbao' };
  apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { token } });
  const role = 'bound_service_account_names=payments-vault bound_service_account_namespaces=payments';
  const steps = [
    'until bao status >/dev/null 2>&1; do sleep 1; done',
    'until bao secrets enable -path=secret -version=2 kv; do sleep 1; done',
    'bao auth enable kubernetes',
    'bao write auth/kubernetes/config kubernetes_host=https://kubernetes.default.svc',
    `printf '%s' '${POLICY}' | bao policy write payments -`,
    `bao write auth/kubernetes/role/payments ${role} audience=keyferry.io/openbao token_policies=payments token_ttl=1h`,
  ];
  bao(token, steps.join('\n'));
}

function installChart(): void {
  const { registry, repository, tag } = OPERATOR_IMAGE;
  const values = {
    image: { registry, repository, tag, pullPolicy: 'Never' },
    admission: { allowedAddresses: [ADDRESS] },
  };
  const flags = [
    '--namespace',
    'keyferry-system',
    '--create-namespace',
    '--values',
    '-',
    '--wait',
    '--timeout',
    '3m',
  ];
  run('helm', ['upgrade', '--install', 'keyferry', 'charts/keyferry', ...flags], {
    input: JSON.stringify(values),
  });
}

function runDemo(): void {
  applyFile('demo.yaml');
  const wait = ['--for=condition=Succeeded', 'secretmigration/payments', '-n', 'payments', '--timeout=120s'];
  kubectl(['wait', ...wait]);
  process.stdout.write(kubectl(['get', 'secretbackends,secretmigrations,secrets', '-n', 'payments']));
  kubectl(['delete', 'pod', 'workload', '-n', 'payments', '--ignore-not-found']);
  applyFile('workload.yaml');
  kubectl([
    'wait',
    '--for=jsonpath={.status.phase}=Succeeded',
    'pod/workload',
    '-n',
    'payments',
    '--timeout=120s',
  ]);
}

try {
  const { engine } = checkRequirements();
  say('kind cluster');
  createCluster();
  say('image of the operator');
  loadOperator(engine);
  say('OpenBao');
  await startOpenBao();
  setUpOpenBao();
  say('chart');
  installChart();
  say('migration and workload');
  runDemo();
  say(`The workload read the migrated values. Look around: export KUBECONFIG=${kubeconfig}`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
