import { startCluster } from '#test/cluster/cluster.ts';
import { startNode } from '#test/cluster/node/node.ts';

/**
 * A process that starts a cluster, with a node when its argument is `node`, prints where it is, and ends when its input ends, without ever disposing of the
 * cluster: what tests kill to see that nothing is left.
 */
const ignore = (): void => undefined;
const cluster = await startCluster({ report: ignore });
if (process.argv[2] === 'node') await startNode(cluster, ignore);
process.stdout.write(`${cluster.folder}\n`);
process.stdin.resume();
