import { startCluster } from '#test/cluster/cluster.ts';

/**
 * A process that starts a cluster, prints where it is, and ends when its input ends, without ever disposing of the
 * cluster: what tests kill to see that nothing is left.
 */
const cluster = await startCluster({ report: () => undefined });
process.stdout.write(`${cluster.folder}\n`);
process.stdin.resume();
