import { aMigration, aSecret } from '#test/builders/objects.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { JobPlayer, WORKER_TEMPLATE } from '#test/support/job-player.ts';
import { startOperator } from '#test/support/operator-process.ts';
import { Tenant } from '#test/support/tenant.ts';

/*
 * One migration in one process, and the same with two and four pods, against a KV server that is far away. A process has few requests in
 * flight, so that the distance is what takes time. The time includes the start of the pods and the last look of the operator.
 */

const SECRETS = Number(process.env['BENCH_SECRETS_OF_ONE'] ?? 600);
const PODS = [1, 2, 4];
const FLAGS = ['--concurrent-documents=1', '--status-interval-seconds=1'];
const AT_ONCE = 50;

/** Seconds that the migration takes; 1 pod: without spec.parallelism. */
async function secondsOf(cluster: Cluster, address: string, pods: number): Promise<number> {
  const tenant = await Tenant.create(cluster, { address });
  const names = Array.from({ length: SECRETS }, (_, index) => `s-${String(index).padStart(4, '0')}`);
  while (names.length > 0)
    await Promise.all(
      names.splice(0, AT_ONCE).map(async (name) => tenant.apply(aSecret(name, { password: `of ${name}` }))),
    );
  for (const name of ['bao', 'kubernetes'])
    await cluster.kubectl([
      'wait',
      `--namespace=${tenant.namespace}`,
      '--for=condition=Ready',
      '--timeout=120s',
      `secretbackend/${name}`,
    ]);
  const parallelism = pods === 1 ? {} : { parallelism: { pods } };
  const startedAt = performance.now();
  await tenant.apply(aMigration('moving', { select: { prefix: 's-' }, ...parallelism }));
  await tenant.untilReady('moving', { status: 'True' }, 600_000);
  return (performance.now() - startedAt) / 1000;
}

/** Prints how much faster more pods are. */
export async function comparePods(cluster: Cluster, address: string): Promise<void> {
  await using _player = await JobPlayer.open(cluster, { args: FLAGS });
  await using _operator = await startOperator(cluster, {
    logLevel: 'warn',
    args: [...FLAGS, WORKER_TEMPLATE],
  });
  let alone = Number.NaN;
  for (const pods of PODS) {
    const seconds = await secondsOf(cluster, address, pods);
    if (pods === 1) alone = seconds;
    const ratio = alone / seconds;
    console.log(
      `one migration of ${SECRETS} Secrets, ${pods} ${pods === 1 ? 'process' : 'pods'}: ${(SECRETS / seconds).toFixed(0).padStart(5)} Secrets/s, ` +
        `${ratio.toFixed(2)} × one process, ${(ratio / pods).toFixed(2)} of linear`,
    );
  }
}
