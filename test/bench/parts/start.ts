import { inSetting, type Bench } from '../setting.ts';
import { timedStarts } from '../starting.ts';

/** From the start of the process to ready, where there is nothing to do. */
export const start = {
  name: 'start',
  run: async ({ extent, findings }: Bench): Promise<void> => {
    await inSetting(async ({ cluster }) => {
      const starts = await timedStarts(cluster, extent.starts);
      findings.add('start-empty', undefined, starts);
      findings.add('start-empty-s', undefined, starts.ours);
    });
  },
};
