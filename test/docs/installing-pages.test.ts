import { describe, it } from 'vitest';
import { PAGE_DEADLINE_MS, describePages, pagesWith } from './pages-on-a-cluster.ts';
import { Rig } from './rig.ts';

describe('on a cluster without Keyferry', () => {
  /*
   * A cluster for each: an API server that has seen the admission policies go does not watch the ConfigMap of their parameters
   * again, and refuses every backend after the next installation.
   */
  it.each(pagesWith('installs'))(
    '%s does what it shows',
    async (_file, page) => {
      await using rig = await Rig.start('installs');
      await rig.run(page);
    },
    PAGE_DEADLINE_MS,
  );
});

describePages('cluster', pagesWith('cluster'));
