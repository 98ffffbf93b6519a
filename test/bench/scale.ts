import { leaseOfSlice, sliceOf } from '#src/runtime/slice-of.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT, startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { startDistantServer } from '#test/support/distant-server.ts';
import { eventually } from '#test/support/eventually.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { Tenant } from '#test/support/tenant.ts';
import { comparePods } from './one-migration.ts';

/*
 * The same migrations with 1, 2 and 4 replicas that share eight slices, against a KV server 20 ms away. Each slice has as many
 * namespaces. A replica has few requests in flight, so that the distance is what takes time, and not the cores of this machine,
 * which all replicas and all servers share. Then one migration that pods of a Job move. Compare the ratios.
 */

const WORKERS = [1, 2, 4];
const SLICES = 8;
const NAMESPACES_PER_SLICE = 1;
const SECRETS_EACH = Number(process.env['BENCH_SECRETS_EACH'] ?? 30);
const ROUND_TRIP_MS = 20;
const CONCURRENT_MIGRATIONS = Number(process.env['BENCH_MIGRATIONS'] ?? 1);
const CONCURRENT_DOCUMENTS = 1;
const LEASE = 'keyferry-operator';

/** Names of new namespaces: as many in each slice. */
function namesFor(round: number): readonly string[] {
  const names: string[] = [];
  const counts = Array.from({ length: SLICES }, () => 0);
  for (let index = 0; names.length < SLICES * NAMESPACES_PER_SLICE; index += 1) {
    const name = `scale-${round}-${index}`;
    const slice = sliceOf(name, SLICES);
    const count = counts[slice] ?? 0;
    if (count >= NAMESPACES_PER_SLICE) continue;
    counts[slice] = count + 1;
    names.push(name);
  }
  return names;
}

async function populate(cluster: Cluster, address: string, namespace: string): Promise<Tenant> {
  await cluster.kube('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  });
  const tenant = await Tenant.create(cluster, { address, namespace });
  const names = Array.from({ length: SECRETS_EACH }, (_, index) => `s-${String(index).padStart(3, '0')}`);
  await Promise.all(names.map(async (name) => tenant.apply(aSecret(name, { password: `value of ${name}` }))));
  return tenant;
}

/** Resolves when each replica holds as many slices as every other one. */
async function untilShared(cluster: Cluster, operators: readonly OperatorProcess[]): Promise<void> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/leases`;
  const holderOf = async (slice: number): Promise<string> => {
    const lease = await cluster
      .kube<{ spec: { holderIdentity: string } }>('GET', `${path}/${leaseOfSlice(LEASE, slice)}`)
      .catch(() => undefined);
    return lease?.spec.holderIdentity ?? '';
  };
  await eventually(
    'the slices are shared',
    async () => {
      const holders = await Promise.all(Array.from({ length: SLICES }, async (_, slice) => holderOf(slice)));
      const shares = operators.map(
        ({ identity }) => holders.filter((holder) => holder.startsWith(`${identity}_`)).length,
      );
      return shares.every((share) => share === SLICES / operators.length);
    },
    { deadlineMs: 120_000 },
  );
}

/** Secrets per second with so many replicas. */
async function rateOf(cluster: Cluster, address: string, workers: number): Promise<number> {
  const tenants: Tenant[] = [];
  for (const name of namesFor(workers)) tenants.push(await populate(cluster, address, name));
  const args = [
    `--slices=${SLICES}`,
    `--concurrent-migrations=${CONCURRENT_MIGRATIONS}`,
    `--concurrent-documents=${CONCURRENT_DOCUMENTS}`,
  ];
  const operators: OperatorProcess[] = [];
  for (let index = 0; index < workers; index += 1)
    operators.push(await startOperator(cluster, { logLevel: 'warn', args }));
  await untilShared(cluster, operators);
  await Promise.all(
    tenants.map(async ({ namespace }) =>
      cluster.kubectl([
        'wait',
        `--namespace=${namespace}`,
        '--for=condition=Ready',
        '--timeout=120s',
        'secretbackend/bao',
        'secretbackend/kubernetes',
      ]),
    ),
  );
  const startedAt = performance.now();
  await Promise.all(tenants.map(async (tenant) => tenant.apply(aMigration('moving'))));
  await Promise.all(tenants.map(async (tenant) => tenant.untilReady('moving', { status: 'True' }, 300_000)));
  const seconds = (performance.now() - startedAt) / 1000;
  for (const operator of operators) await operator.stop();
  return (tenants.length * SECRETS_EACH) / seconds;
}

await using cluster = await startCluster();
await cluster.installKeyferry();
await using distant = await startDistantServer(cluster.baoUrl, ROUND_TRIP_MS);
console.log(
  `${SLICES * NAMESPACES_PER_SLICE} migrations of ${SECRETS_EACH} Secrets, ${cluster.isOpenBao ? 'OpenBao' : 'Vault'} ${ROUND_TRIP_MS} ms away, ` +
    `${CONCURRENT_MIGRATIONS} × ${CONCURRENT_DOCUMENTS} documents in flight for each replica`,
);
let alone = Number.NaN;
for (const workers of WORKERS) {
  const rate = await rateOf(cluster, distant.url, workers);
  if (workers === 1) alone = rate;
  console.log(
    `${workers} replicas: ${rate.toFixed(0).padStart(5)} Secrets/s, ${(rate / alone).toFixed(2)} × one replica, ` +
      `${(rate / alone / workers).toFixed(2)} of linear`,
  );
}
await comparePods(cluster, distant.url);
