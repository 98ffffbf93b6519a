import { startCluster } from '#test/cluster/cluster.ts';
import { startNode } from '#test/cluster/node/node.ts';

/**
 * A process that starts a cluster, with a node if its argument is `node`, prints the folder of the cluster, and exits
 * at the end of its input without disposing of the cluster. Tests kill it to check that nothing is left.
 */
const ignore = (): void => undefined;
const cluster = await startCluster({ report: ignore });
if (process.argv[2] === 'node') await startNode(cluster, ignore);
process.stdout.write(`${cluster.folder}\n`);
process.stdin.resume();
