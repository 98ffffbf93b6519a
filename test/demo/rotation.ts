import type { Cluster } from '#test/cluster/cluster.ts';
import { backends, FOLDER, migrationOf, MOUNT } from './manifests.ts';
import { say, showKubectl } from './stage.ts';

/* A value is rotated in OpenBao, and the Secret that follows it has the new value within the interval. */

export const ROTATION_NAMESPACE = 'rotation';

const INTERVAL_SECONDS = 5;
/** An interval is up to a tenth longer; the rest is for two processes of kubectl on a busy machine. */
const DEADLINE_SECONDS = 2 * INTERVAL_SECONDS;
const NAMED = ['-n', ROTATION_NAMESPACE];
const MIGRATION = ['secretmigration/rotating', ...NAMED];

/** Shows it, and fails the demo if the value is late or another one. */
export async function showRotation(cluster: Cluster): Promise<void> {
  say('\n# Rotate in OpenBao, see it in the Secret of the pod');
  await put(cluster, 'correct-horse');
  await cluster.kube('POST', '/api/v1/namespaces', { metadata: { name: ROTATION_NAMESPACE } });
  await follow(cluster);
  await showKubectl(cluster, ['wait', '--for=condition=Ready', '--timeout=60s', ...MIGRATION]);
  await showKubectl(cluster, ['get', 'secretmigrations', ...NAMED]);

  await put(cluster, 'battery-staple');
  const start = performance.now();
  const hasVersion = '--for=jsonpath={.status.keys[0].source.version}=2';
  await showKubectl(cluster, ['wait', hasVersion, `--timeout=${DEADLINE_SECONDS}s`, ...MIGRATION]);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const value = await passwordOf(cluster);
  if (value !== 'battery-staple') throw new Error('the Secret does not have the rotated value');
  say(`\nthe Secret database has the value that was rotated in OpenBao: "${value}", after ${seconds} s`);
}

/** As `bao kv put` does it, which the server of the tests does not have. */
async function put(cluster: Cluster, password: string): Promise<void> {
  const path = `${MOUNT}/data/${FOLDER}/${ROTATION_NAMESPACE}/database`;
  const body = { data: { password } };
  say(`\nPUT /v1/${path} ${JSON.stringify(body)}`);
  await cluster.bao('PUT', path, body);
}

async function follow(cluster: Cluster): Promise<void> {
  const server = { address: cluster.baoUrl, caBundle: cluster.baoCaPem };
  const migration = migrationOf(ROTATION_NAMESPACE, 'rotating', {
    mode: 'Sync',
    source: { backendRef: { name: 'bao' } },
    destination: { backendRef: { name: 'kubernetes' } },
    select: { all: true },
    sync: { intervalSeconds: INTERVAL_SECONDS },
  });
  const items = [...backends(ROTATION_NAMESPACE, server), migration];
  await showKubectl(cluster, ['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
}

async function passwordOf(cluster: Cluster): Promise<string> {
  const { data = {} } = await cluster.kube<{ readonly data?: Readonly<Record<string, string>> }>(
    'GET',
    `/api/v1/namespaces/${ROTATION_NAMESPACE}/secrets/database`,
  );
  return Buffer.from(data['password'] ?? '', 'base64').toString();
}
