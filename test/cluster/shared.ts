import { inject } from 'vitest';
import { attachCluster, type Cluster } from './cluster.ts';

/** The suite's cluster, started by global-setup.ts; dispose of it (`afterAll`) to close this file's connections. */
export function sharedCluster(): Cluster {
  return attachCluster(inject('clusterStateFile'));
}
