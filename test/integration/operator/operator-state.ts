import { eventually } from '#test/support/eventually.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';

/** What the operator knows and does is seen in its metrics: the only way to wait for it from outside. */
async function metricOf(operator: OperatorProcess, series: string): Promise<number> {
  const line = (await operator.metrics()).split('\n').find((text) => text.startsWith(`${series} `));
  if (line === undefined) throw new Error(`there is no ${series}`);
  return Number(line.slice(series.length));
}

const WAKE_UPS = 'workqueue_adds_total{name="secretmigration",controller="secretmigration"}';
const MIGRATIONS = 'keyferry_informer_objects{resource="secretmigrations"}';
const ACTIVE = 'controller_runtime_active_workers{controller="secretmigration"}';

/** Does `change` to a migration and resolves when the operator has seen that there is a new spec. */
export async function untilNoticed(operator: OperatorProcess, change: () => Promise<void>): Promise<void> {
  const before = await metricOf(operator, WAKE_UPS);
  await change();
  await eventually(
    'the operator has seen the change',
    async () => (await metricOf(operator, WAKE_UPS)) > before,
  );
}

/** Does `change`, which makes migrations disappear, and resolves when the operator has seen that they are gone. */
export async function untilMissed(operator: OperatorProcess, change: () => Promise<void>): Promise<void> {
  const before = await metricOf(operator, MIGRATIONS);
  await change();
  await eventually(
    'the operator has seen the deletion',
    async () => (await metricOf(operator, MIGRATIONS)) < before,
  );
}

/** Resolves when no migration is being worked on. */
export async function untilIdle(operator: OperatorProcess): Promise<void> {
  await eventually('the operator has no migration at work', async () => {
    return (await metricOf(operator, ACTIVE)) === 0;
  });
}
