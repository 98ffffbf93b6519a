import { startOperator } from '#test/support/operator-process.ts';
import { bareCreation } from './bare.ts';
import { KEYS } from './documents.ts';
import { aPlace, inSetting, type Setting } from './setting.ts';
import { again, push } from './steps.ts';
import { forgetPeak, peakMiBOf } from './usage.ts';

/*
 * The peak memory of the operator while it copies one migration from Kubernetes to KV, and while it runs again where nothing changed,
 * beside that of the smallest migration. A cluster and an operator for each size. Sizes: SIZES=100,50000.
 */

const SIZES = (process.env['SIZES'] ?? '100,10000,50000').split(',').map(Number);

/** Highest resident memory, in MiB. */
interface Peaks {
  readonly fresh: number;
  readonly again: number;
}

async function peaksAt(setting: Setting, size: number): Promise<Peaks> {
  await using place = await aPlace(setting);
  await bareCreation(setting.api, place.tenant.namespace, size);
  await using operator = await startOperator(setting.cluster, { logLevel: 'info' });
  const job = { tenant: place.tenant, watch: setting.watch, keys: size * KEYS };
  await push(job);
  const fresh = peakMiBOf(operator);
  forgetPeak(operator);
  await again(job, 'push');
  return { fresh, again: peakMiBOf(operator) };
}

/** As a share of the first one: 1.20 is a fifth more. */
function line(size: number, { fresh, again: second }: Peaks, first: Peaks): string {
  const figures = [`${fresh.toFixed(0)} MiB`, `${second.toFixed(0)} MiB`];
  const ratios = [(fresh / first.fresh).toFixed(2), (second / first.again).toFixed(2)];
  return `${size} documents: ${figures.join(', again ')}; ${ratios.join(' and ')} × the first`;
}

let first: Peaks | undefined;
for (const size of SIZES) {
  await inSetting(async (setting) => {
    const peaks = await peaksAt(setting, size);
    first ??= peaks;
    console.log(line(size, peaks, first));
  });
}
