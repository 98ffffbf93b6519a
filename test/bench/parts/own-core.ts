import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import type { Cluster } from '#test/cluster/cluster.ts';
import { startOperator } from '#test/support/operator-process.ts';
import { bareCreation, barePush } from '../bare.ts';
import { KEYS } from '../documents.ts';
import { seconds } from '../lanes.ts';
import { aPlace, inSetting, type Bench } from '../setting.ts';
import { push } from '../steps.ts';

const SIZE = 1_000;

/** Secrets → KV where the servers leave one core alone: for the operator, and for the bare loop beside it. */
export const ownCore = {
  name: 'own-core',
  run: async ({ extent, findings }: Bench): Promise<void> => {
    const last = availableParallelism() - 1;
    if (last < 1) throw new Error('this machine has one core: no core can be left to the operator');
    await inSetting(async (setting) => {
      const { api, cluster, watch } = setting;
      await using operator = await startOperator(cluster, { logLevel: 'info' });
      for (const pid of serversOf(cluster)) await pin(pid, last === 1 ? '0' : `0-${last - 1}`);
      await pin(operator.pid, String(last));
      await pin(process.pid, String(last));
      try {
        for (let round = 1; round <= extent.rounds; round += 1) {
          await using here = await aPlace(setting);
          await using there = await aPlace(setting);
          await bareCreation(api, here.tenant.namespace, SIZE);
          const ours = await seconds(async () => push({ tenant: here.tenant, watch, keys: SIZE * KEYS }));
          const bare = await seconds(async () => barePush(there.folder, SIZE));
          findings.add('push-own-core', SIZE, { ours, bare });
        }
      } finally {
        await pin(process.pid, `0-${last}`);
      }
    });
  },
};

function serversOf(cluster: Cluster): readonly number[] {
  const pids = (['etcd', 'apiserver', 'controller-manager', 'bao'] as const).map((name) => cluster.pid(name));
  return pids.filter((pid) => pid !== undefined);
}

/** All threads of the process to these cores, with taskset of util-linux. */
async function pin(pid: number, cores: string): Promise<void> {
  await promisify(execFile)('taskset', ['--all-tasks', '--pid', '--cpu-list', cores, String(pid)]);
}
