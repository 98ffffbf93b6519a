import { startCluster } from '#test/cluster/cluster.ts';
import { measurePropagation, type Propagation } from '../propagation/measure.ts';
import { paths, secrets, type Way } from '../propagation/ways.ts';
import type { Bench } from '../setting.ts';

/** How long a change takes to the other side while documents are kept in step, each way. */
export const rotation = {
  name: 'rotation',
  run: async (bench: Bench): Promise<void> => {
    const { documents } = bench.extent.rotation;
    const { findings } = bench;
    await findings.attempt('rotation Secret → KV', async () => {
      const { bare, ours, peakMiB } = await inCluster(bench, secrets);
      findings.add('secret-p50', documents, { ours: ours.p50 / 1000, bare: bare.p50 / 1000 });
      findings.add('secret-p99', documents, { ours: ours.p99 / 1000, bare: bare.p99 / 1000 });
      findings.add('secret-rss', documents, peakMiB);
    });
    // Its changes wait for the next poll, as the interval says: beside a bare loop they would only measure the interval.
    await findings.attempt('rotation KV → Secret', async () => {
      const { ours, peakMiB } = await inCluster(bench, paths);
      findings.add('path-p50', documents, ours.p50);
      findings.add('path-p99', documents, ours.p99);
      findings.add('path-rss', documents, peakMiB);
    });
  },
};

async function inCluster({ extent }: Bench, way: Way): Promise<Propagation> {
  await using cluster = await startCluster({ report: () => undefined });
  await cluster.installKeyferry();
  return await measurePropagation(cluster, way, { ...extent.rotation, migrations: 1 });
}
