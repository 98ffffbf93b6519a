import { expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { Controller } from '#src/runtime/controller.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { createQueues } from './queues.ts';

const EDITS = 30;
/** What a follow of one document takes, and one of a server that does not answer. */
const FOLLOW_MS = 10;
const SILENT_MS = 60_000;

/** The mean milliseconds from an edit until its follow has ended, with these keys beside it. */
async function meanLatency(poisonous: readonly string[]): Promise<number> {
  const clock = new ManualClock();
  const metrics = new RecordedMetrics();
  const { migrations: queue } = createQueues({
    concurrentMigrations: 4,
    probeIntervalSeconds: 60,
    clock,
    metrics,
  });
  const editedAt = new Map<string, number>();
  const took: number[] = [];
  const controller = new Controller({
    name: 'secretmigration',
    queue,
    workers: 4,
    graceMs: 0,
    clock,
    metrics,
    logger: new RecordedLog(),
    reconcile: async (key, { signal }) => {
      if (key.startsWith('bad/')) {
        await clock.sleep(key.endsWith('silent') ? SILENT_MS : 1, signal);
        throw new OperatorError('DEADLINE', { op: 'test' });
      }
      await clock.sleep(FOLLOW_MS, signal);
      took.push(clock.monotonic() - (editedAt.get(key) ?? 0));
      return { kind: 'done' };
    },
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  for (const key of poisonous) queue.add(key);
  for (let edit = 0; edit < EDITS; edit += 1) {
    const key = `good-${edit % 3}/m${edit}`;
    editedAt.set(key, clock.monotonic());
    queue.add(key);
    // Each poisonous document is told to have changed again, as often as the others change.
    for (const poison of poisonous) queue.add(poison);
    await clock.advance(2 * FOLLOW_MS);
  }
  stop.abort();
  await clock.advance(1);
  await running;
  expect(took).toHaveLength(EDITS);
  return took.reduce((sum, ms) => sum + ms, 0) / EDITS;
}

it('the follows of a migration that always fails, or whose server is silent, delay those of others by less than 5 %', async () => {
  const alone = await meanLatency([]);
  const crowd = Array.from({ length: 20 }, (_, index) => `bad/${index}`);
  expect(await meanLatency(['bad/failing', ...crowd])).toBeLessThan(1.05 * alone);
  expect(
    await meanLatency(['bad/silent', 'bad/too-silent', 'bad/3silent', 'bad/4silent', ...crowd]),
  ).toBeLessThan(1.05 * alone);
});
