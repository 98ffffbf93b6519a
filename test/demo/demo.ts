import { join } from 'node:path';
import { untilAdmissionWorks } from '#test/cluster/admission.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { startOperator } from '#test/support/operator-process.ts';
import { compareNamespaces } from './comparison.ts';
import { readKeptDemo, recordKeptDemo } from './kept-demo.ts';
import {
  AUDIENCE,
  backends,
  COPY_NAMESPACE,
  FOLDER,
  migrationBack,
  migrationThere,
  MOUNT,
  POLICY,
  ROLE,
  SERVICE_ACCOUNT,
  SOURCE_NAMESPACE,
} from './manifests.ts';
import { paymentsSecrets } from './payments.ts';
import { ROTATION_NAMESPACE, showRotation } from './rotation.ts';
import { runScenarios, SCENARIOS } from './scenarios.ts';
import { say, showBao, showKeyferry, showKubectl } from './stage.ts';

/** Prepares OpenBao as its administrator does: a mount, and a role for one ServiceAccount of the team. */
async function prepareOpenBao(cluster: Cluster): Promise<void> {
  await cluster.bao('POST', `sys/mounts/${MOUNT}`, { type: 'kv', options: { version: '2' } });
  await cluster.enableKubernetesAuth();
  await cluster.createKubernetesRole({
    role: ROLE,
    serviceAccounts: [SERVICE_ACCOUNT],
    namespaces: [
      SOURCE_NAMESPACE,
      COPY_NAMESPACE,
      ROTATION_NAMESPACE,
      ...SCENARIOS.map(({ namespace }) => namespace),
    ],
    audience: AUDIENCE,
    policy: POLICY,
  });
}

async function install(cluster: Cluster): Promise<void> {
  await showKubectl(cluster, ['apply', '-f', 'crds/']);
  await showKubectl(cluster, ['apply', '-k', 'config/']);
  const addresses = JSON.stringify({ data: { addresses: cluster.baoUrl } });
  const settings = ['configmap', 'keyferry-admission', '-n', 'keyferry-system'];
  await showKubectl(cluster, ['patch', ...settings, '-p', addresses]);
  await untilAdmissionWorks(cluster, cluster.baoUrl);
  await prepareOpenBao(cluster);
  const operator = await startOperator(cluster, { logLevel: 'info' });
  say(`\nkeyferry operator is ready (process ${operator.pid}, log ${operator.logFile})`);
}

async function fillNamespace(cluster: Cluster): Promise<void> {
  await showKubectl(cluster, ['create', 'namespace', SOURCE_NAMESPACE]);
  await showKubectl(cluster, ['create', 'namespace', COPY_NAMESPACE]);
  for (const secret of await paymentsSecrets()) {
    await cluster.kube('POST', `/api/v1/namespaces/${SOURCE_NAMESPACE}/secrets`, secret);
  }
  await showKubectl(cluster, ['get', 'secrets', '-n', SOURCE_NAMESPACE]);
}

async function migrate(cluster: Cluster, namespace: string, items: readonly object[]): Promise<void> {
  await showKubectl(cluster, ['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
  const all = ['secretmigrations', '-n', namespace];
  try {
    await showKubectl(cluster, ['wait', '--for=condition=Ready', '--all', '--timeout=60s', ...all]);
  } finally {
    await showKubectl(cluster, ['get', ...all]);
  }
}

async function thereAndBack(cluster: Cluster): Promise<void> {
  const server = { address: cluster.baoUrl, caBundle: cluster.baoCaPem };
  await migrate(cluster, SOURCE_NAMESPACE, [...backends(SOURCE_NAMESPACE, server), migrationThere()]);
  await showKeyferry(cluster, ['status', 'payments', '-n', SOURCE_NAMESPACE]);
  await showBao(cluster, ['kv', 'list', `${MOUNT}/${FOLDER}/${SOURCE_NAMESPACE}`]);
  await migrate(cluster, COPY_NAMESPACE, [...backends(COPY_NAMESPACE, server), migrationBack()]);
}

/** Prints the comparison of the two namespaces and fails the demo if they differ. */
async function compare(cluster: Cluster): Promise<void> {
  const result = await compareNamespaces(cluster, SOURCE_NAMESPACE, COPY_NAMESPACE);
  const { secrets, keys, bytes, differences } = result;
  if (differences.length > 0) {
    throw new Error(`the namespaces differ:\n  ${differences.join('\n  ')}`);
  }
  say(
    `\n${SOURCE_NAMESPACE} and ${COPY_NAMESPACE}: ${secrets} Secrets, ${keys} keys, ` +
      `${bytes.toLocaleString('en')} bytes compared; types, immutability, keys and bytes are identical`,
  );
}

async function keepRunning(cluster: Cluster): Promise<void> {
  await cluster.keep();
  recordKeptDemo(cluster.folder);
  say('\nAll servers keep running; `make demo-down` stops them. To continue manually:');
  say(`export KUBECONFIG=${cluster.kubeconfigPath}`);
  const variables = [`ADDR=${cluster.baoUrl}`, `TOKEN=${cluster.rootToken}`, `CACERT=${cluster.baoCaPath}`];
  for (const prefix of cluster.isOpenBao ? ['BAO'] : ['BAO', 'VAULT']) {
    say(`export ${variables.map((variable) => `${prefix}_${variable}`).join(' ')}`);
  }
}

async function main(): Promise<void> {
  process.chdir(join(import.meta.dirname, '..', '..'));
  const kept = readKeptDemo();
  if (kept !== undefined)
    throw new Error(`a kept demo is running in ${kept}; stop it with \`make demo-down\``);
  const cluster = await startCluster();
  try {
    await install(cluster);
    await fillNamespace(cluster);
    await thereAndBack(cluster);
    await compare(cluster);
    await runScenarios(cluster, async (namespace, items) => migrate(cluster, namespace, items));
    await showRotation(cluster);
    if (process.env['KEEP'] === '1') await keepRunning(cluster);
  } finally {
    await cluster.dispose();
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
