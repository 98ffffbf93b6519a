import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import type { PerformanceRecord } from '#src/generate/performance-record.ts';
import type { Cluster } from '#test/cluster/cluster.ts';

const GIB = 2 ** 30;

/** What a run was measured on and with. */
export type Circumstances = Omit<PerformanceRecord, 'measures'>;

/** Of this machine and these sources, with the servers of this cluster. `now`: the time of the run. */
export async function circumstances(root: string, cluster: Cluster, now: Date): Promise<Circumstances> {
  const { version } = await cluster.bao<{ version: string }>('GET', 'sys/health');
  const { gitVersion } = await cluster.kube<{ gitVersion: string }>('GET', '/version');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It is ours.
  const { version: own } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  return {
    server: cluster.isOpenBao ? 'openbao' : 'vault',
    recordedAt: now.toISOString(),
    commit: commitOf(root),
    machine: {
      cores: availableParallelism(),
      model: cpus()[0]?.model.trim() ?? 'unknown',
      memoryGiB: Math.round(totalmem() / GIB),
      system: `${type()} ${release()}`,
    },
    versions: {
      keyferry: own,
      server: `${cluster.isOpenBao ? 'OpenBao' : 'Vault'} ${version}`,
      kubernetes: gitVersion,
      node: process.version,
    },
  };
}

/** Files of the last recording do not count: they are not what is measured. */
function commitOf(root: string): string {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  try {
    const changed = git('status', '--porcelain', '--', '.', ':!docs');
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed === '' ? '' : '-dirty'}`;
  } catch {
    return 'unknown';
  }
}
