import { setTimeout as sleep } from 'node:timers/promises';
import { aMigration } from '#test/builders/objects.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { inSetting, type Bench, type Extent, type Setting } from '../setting.ts';
import { timedStarts } from '../starting.ts';
import { backendsReady, manyTenants, type Group } from '../tenants.ts';
import { cpuSecondsOf, peakMiBOf, rssMiBOf } from '../usage.ts';
import { isReady } from '../watch.ts';

/** What is left to do after a start is over when a second of it takes less than this part of a core. */
const CALM = 0.03;
const CALM_WITHIN_S = 120;

/** A start with 50 done migrations, 100 backends and 10,000 rows, and what the operator then uses while nothing happens. */
export const many = {
  name: 'many',
  run: async (bench: Bench): Promise<void> => {
    const { each, migrations } = bench.extent.many;
    const size = sizeOf(bench.extent);
    await inSetting(async (setting) => {
      await using group = await manyTenants(setting, { count: migrations, each, kind: 'small' });
      await migrateAll(bench, setting, group);
      const starts = await timedStarts(setting.cluster, bench.extent.starts, async (operator) =>
        idle(bench, operator),
      );
      bench.findings.add('start-many', size, starts);
      bench.findings.add('start-many-s', size, starts.ours);
    });
  },
};

function sizeOf({ many: { each, migrations } }: Extent): string {
  return `${migrations} × ${each}`;
}

async function migrateAll({ extent, findings }: Bench, setting: Setting, group: Group): Promise<void> {
  await using operator = await startOperator(setting.cluster, { logLevel: 'info' });
  await backendsReady(setting, group);
  await Promise.all(group.tenants.map(async (tenant) => tenant.apply(aMigration('push'))));
  await setting.watch.until(extent.many.migrations * extent.many.each, (all) =>
    group.tenants.every(({ namespace }) => {
      const seen = all.get(`${namespace}/push`);
      return seen !== undefined && isReady(seen) && seen.status?.summary?.['verified'] === extent.many.each;
    }),
  );
  findings.add('many-rss', sizeOf(extent), peakMiBOf(operator));
  await operator.stop();
}

async function idle({ extent, findings }: Bench, operator: OperatorProcess): Promise<void> {
  await untilCalm(operator);
  const before = cpuSecondsOf(operator);
  await sleep(extent.many.idleSeconds * 1000);
  const used = cpuSecondsOf(operator) - before;
  findings.add('idle-cpu', sizeOf(extent), (used / extent.many.idleSeconds) * 100);
  findings.add('idle-rss', sizeOf(extent), rssMiBOf(operator));
}

async function untilCalm(operator: OperatorProcess): Promise<void> {
  for (let second = 1; second <= CALM_WITHIN_S; second += 1) {
    const before = cpuSecondsOf(operator);
    await sleep(1000);
    if (second > 3 && cpuSecondsOf(operator) - before < CALM) return;
  }
  throw new Error(`the operator is not idle ${CALM_WITHIN_S} s after its start`);
}
