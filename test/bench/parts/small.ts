import { aMigration } from '#test/builders/objects.ts';
import { startOperator } from '#test/support/operator-process.ts';
import { barePush } from '../bare.ts';
import { KEYS } from '../documents.ts';
import { seconds } from '../lanes.ts';
import { inSetting, type Bench } from '../setting.ts';
import { backendsReady, manyTenants } from '../tenants.ts';
import { isReady } from '../watch.ts';
import { forgetPeak, peakMiBOf } from '../usage.ts';

/** Many migrations of a few Secrets, each in a namespace with backends of its own. */
export const small = {
  name: 'small',
  run: async ({ extent, findings }: Bench): Promise<void> => {
    const { each, migrations } = extent.small;
    await inSetting(async (setting) => {
      await using operator = await startOperator(setting.cluster, { logLevel: 'info' });
      await using group = await manyTenants(setting, { count: migrations, each, kind: 'plain' });
      await backendsReady(setting, group);
      forgetPeak(operator);
      const size = `${migrations} × ${each}`;
      const ours = await seconds(async () => {
        await Promise.all(group.tenants.map(async (tenant) => tenant.apply(aMigration('push'))));
        await setting.watch.until(migrations * each * KEYS, (all) =>
          group.tenants.every(({ namespace }) => {
            const seen = all.get(`${namespace}/push`);
            return seen !== undefined && isReady(seen) && seen.status?.summary?.['verified'] === each * KEYS;
          }),
        );
      });
      findings.add('small-rss', size, peakMiBOf(operator));
      const bare = await seconds(async () => barePush({ ...group.mount, folder: 'bare' }, migrations * each));
      findings.add('small', size, { ours, bare });
    });
  },
};
