import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { belongsTo, isAlive, parsePidFile, reapMarkOf, signalGroup, waitUntilDead } from './processes.ts';

/** Kills every process of the cluster below `folder` and removes the folder. Safe to call twice or side by side. */
export async function reapCluster(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  mkdirSync(join(folder, 'run'), { recursive: true });
  writeFileSync(reapMarkOf(folder), '');
  // SIGKILL and not SIGTERM: the data goes with the folder, and a stopped (SIGSTOP) server must die as well.
  const victims = livePids(folder);
  for (const pid of victims) signalGroup(pid, 'SIGKILL');
  await Promise.all(victims.map(waitUntilDead));
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

function livePids(folder: string): readonly number[] {
  return readdirSync(join(folder, 'run'))
    .filter((name) => name.endsWith('.pid'))
    .map((name) => parsePidFile(join(folder, 'run', name)))
    .filter((pid) => pid !== undefined)
    .filter((pid) => isAlive(pid) && belongsTo(folder, pid));
}
