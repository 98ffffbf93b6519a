import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeLeftovers } from './node/leftovers.ts';
import { belongsTo, isAlive, parsePidFile, reapMarkOf, signalGroup, waitUntilDead } from './processes.ts';

/** Kills every process of the cluster below `folder` and removes the folder. Safe to call twice or side by side. */
export async function reapCluster(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  mkdirSync(join(folder, 'run'), { recursive: true });
  writeFileSync(reapMarkOf(folder), '');
  await killAll(folder, '');
  if (existsSync(join(folder, 'node'))) await removeLeftovers(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Ends the cluster's node and removes what is the node's, while the cluster goes on. */
export async function reapNode(folder: string): Promise<void> {
  await killAll(folder, 'node-');
  await removeLeftovers(folder);
  await rm(join(folder, 'node'), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** SIGKILL and not SIGTERM: the data goes with the folder, and a stopped (SIGSTOP) server must die as well. */
async function killAll(folder: string, prefix: string): Promise<void> {
  const victims = livePids(folder, prefix);
  for (const pid of victims) signalGroup(pid, 'SIGKILL');
  await Promise.all(victims.map(waitUntilDead));
}

function livePids(folder: string, prefix: string): readonly number[] {
  return readdirSync(join(folder, 'run'))
    .filter((name) => name.startsWith(prefix) && name.endsWith('.pid'))
    .map((name) => parsePidFile(join(folder, 'run', name)))
    .filter((pid) => pid !== undefined)
    .filter((pid) => isAlive(pid) && belongsTo(folder, pid));
}
