import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startCluster } from './cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** State file of the suite's one cluster. */
    clusterStateFile: string;
  }
}

/**
 * vitest's global setup: the operator as it ships, and one cluster for the whole suite, with Keyferry's CRDs and RBAC installed and the KV server's
 * kubernetes auth enabled. Tests isolate themselves by a namespace and a mount of their own.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync('make', ['build'], { cwd: join(import.meta.dirname, '..', '..'), stdio: 'inherit' });
  const cluster = await startCluster();
  try {
    await cluster.installKeyferry();
    await cluster.enableKubernetesAuth();
  } catch (error) {
    await cluster.dispose();
    throw error;
  }
  project.provide('clusterStateFile', cluster.stateFile);
  return () => cluster.dispose();
}
