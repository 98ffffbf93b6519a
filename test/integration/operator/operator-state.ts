import { eventually } from '#test/support/eventually.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';

/** What the operator knows and does is seen in its metrics: the only way to wait for it from outside. */
async function metricOf(operator: OperatorProcess, series: string): Promise<number> {
  const line = (await operator.metrics()).split('\n').find((text) => text.startsWith(`${series} `));
  if (line === undefined) throw new Error(`there is no ${series}`);
  return Number(line.slice(series.length));
}

/** Waits for metrics that are computed after this call: the operator answers scrapes from a cache for a second. */
async function untilFresh(operator: OperatorProcess): Promise<void> {
  const cached = await operator.metrics();
  await eventually('the metrics are computed again', async () => (await operator.metrics()) !== cached);
}

const EVENTS = ['secretmigrations', 'secretbackends'].map(
  (resource) => `keyferry_informer_events_total{resource="${resource}"}`,
);
const MIGRATIONS = 'keyferry_informer_objects{resource="secretmigrations"}';
const ACTIVE = 'controller_runtime_active_workers{controller="secretmigration"}';

/**
 * Does `change` to a migration or a backend and resolves when the operator has seen it. Counts what the watches bring: a
 * key that waits in the queue already is not added to it again. For a moment at which nothing else is written.
 */
export async function untilNoticed(operator: OperatorProcess, change: () => Promise<void>): Promise<void> {
  await untilFresh(operator);
  const before = await eventsSeen(operator);
  await change();
  await eventually('the operator has seen the change', async () => (await eventsSeen(operator)) > before);
}

async function eventsSeen(operator: OperatorProcess): Promise<number> {
  let seen = 0;
  for (const series of EVENTS) seen += await metricOf(operator, series);
  return seen;
}

/** Does `change`, which makes migrations disappear, and resolves when the operator has seen that they are gone. */
export async function untilMissed(operator: OperatorProcess, change: () => Promise<void>): Promise<void> {
  await untilFresh(operator);
  const before = await metricOf(operator, MIGRATIONS);
  await change();
  await eventually(
    'the operator has seen the deletion',
    async () => (await metricOf(operator, MIGRATIONS)) < before,
  );
}

/** Resolves when no migration is being worked on. */
export async function untilIdle(operator: OperatorProcess): Promise<void> {
  await untilFresh(operator);
  await eventually('the operator has no migration at work', async () => {
    return (await metricOf(operator, ACTIVE)) === 0;
  });
}
