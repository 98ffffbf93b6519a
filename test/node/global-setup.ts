import type { TestProject } from 'vitest/node';
import { attachCluster } from '#test/cluster/cluster.ts';
import { startNode } from '#test/cluster/node/node.ts';

/** Runs after test/cluster/global-setup.ts and gives its cluster a node; tests take it with `attachNode`. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = attachCluster(project.getProvidedContext().clusterStateFile);
  const node = await startNode(cluster);
  return async () => {
    await node.dispose();
    await cluster.dispose();
  };
}
