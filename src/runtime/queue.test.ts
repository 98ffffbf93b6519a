import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedMetrics } from '#test/support/recorded.ts';
import { WorkQueue } from './queue.ts';

let clock: ManualClock;
let metrics: RecordedMetrics;
let queue: WorkQueue;
const labels = { name: 'smig', controller: 'smig' };

beforeEach(() => {
  clock = new ManualClock();
  metrics = new RecordedMetrics();
  queue = new WorkQueue({ name: 'smig', clock, metrics });
});

describe('WorkQueue', () => {
  describeOrder();
  describeDelays();
  describeGroups();
  describePriorities();
  describeAnyOrder();
});

const groupOf = (key: string): string => key.slice(0, key.indexOf('/'));

function describeGroups(): void {
  const shared = (mostPerGroup: number): WorkQueue =>
    new WorkQueue({ name: 'smig', clock, metrics, sharing: { groupOf, mostPerGroup } });

  test('of 800 keys of one group and one of another, the other comes second', async () => {
    queue = shared(2);
    for (let key = 0; key < 800; key += 1) queue.add(`crowd/${key}`);
    queue.add('victim/a');
    expect([await queue.take(), await queue.take()]).toEqual(['crowd/0', 'victim/a']);
  });

  test('a taker waits while a group has all it may have, and gets a key of another group, or its next one', async () => {
    queue = shared(1);
    queue.add('slow/a');
    queue.add('slow/b');
    await queue.take();
    const first = queue.take();
    const second = queue.take();
    await settle();
    queue.add('victim/a');
    expect(await first).toBe('victim/a');
    queue.done('slow/a');
    expect(await second).toBe('slow/b');
  });

  test('a key that was added again while it was in process takes its turn behind the other groups', async () => {
    queue = shared(1);
    queue.add('busy/a');
    await queue.take();
    queue.add('busy/a');
    queue.add('victim/a');
    queue.done('busy/a');
    expect([await queue.take(), await queue.take()]).toEqual(['victim/a', 'busy/a']);
  });

  test('800 failures of one group do not delay the retry of another', async () => {
    queue = shared(2);
    for (let key = 0; key < 800; key += 1) queue.addRateLimited(`crowd/${key}`);
    queue.addRateLimited('victim/a');
    await clock.advance(5);
    const due: (string | undefined)[] = [];
    for (let key = 0; key < 3; key += 1) due.push(await queue.take());
    expect(due).toContain('victim/a');
  });
}

function describePriorities(): void {
  test('a key that somebody changed does not wait behind 999 of a first list, of whatever group', async () => {
    queue = new WorkQueue({ name: 'smig', clock, metrics, sharing: { groupOf, mostPerGroup: 2 } });
    for (let key = 0; key < 999; key += 1) queue.add(`g${key % 300}/${key}`, 'low');
    queue.add('g7/7');
    queue.add('fresh/a');
    expect([await queue.take(), await queue.take()]).toEqual(['g7/7', 'fresh/a']);
    expect(metrics.value('workqueue_depth', { ...labels, priority: '-100' })).toBe(998);
    const taken: (string | undefined)[] = ['g7/7'];
    for (const key of ['g7/7', 'fresh/a']) queue.done(key);
    while (queue.depth > 0) {
      const key = await queue.take();
      taken.push(key);
      queue.done(key ?? '');
    }
    expect(new Set(taken).size).toBe(999);
    expect(taken).toHaveLength(999);
  });

  test('keys of low priority are handed out while there are always others', async () => {
    queue.add('low', 'low');
    const taken: (string | undefined)[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      queue.add(`${turn}`);
      queue.add(`${turn} too`);
      taken.push(await queue.take());
    }
    expect(taken).toContain('low');
  });

  test('a retry has low priority, and normal priority once somebody changes the object', async () => {
    queue.addRateLimited('retried');
    queue.addAfter('changed', 5);
    await clock.advance(5);
    queue.add('changed');
    queue.add('new');
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual([
      'changed',
      'new',
      'retried',
    ]);
  });

  test('a key that is added while it is in process keeps the higher priority', async () => {
    queue.add('a');
    await queue.take();
    queue.add('a', 'low');
    queue.add('a');
    queue.add('b', 'low');
    queue.done('a');
    expect(await queue.take()).toBe('a');
  });
}

function describeOrder(): void {
  test('hands out a key once, however often it was added', async () => {
    queue.add('a');
    queue.add('b');
    queue.add('a');
    expect(queue.depth).toBe(2);
    expect([await queue.take(), await queue.take()]).toEqual(['a', 'b']);
    expect(queue.depth).toBe(0);
  });

  test('does not hand out a key that is being processed, and queues it again when it is done', async () => {
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.add('b');
    expect(queue.depth).toBe(1);
    expect(await queue.take()).toBe('b');
    queue.done('a');
    expect(await queue.take()).toBe('a');
    queue.done('a');
    expect(queue.depth).toBe(0);
  });

  test('wakes a waiting taker', async () => {
    const taken = queue.take();
    queue.add('a');
    expect(await taken).toBe('a');
  });

  test('addAfter keeps the earliest time', async () => {
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 5_000);
    await clock.advance(99);
    expect(queue.depth).toBe(0);
    await clock.advance(1);
    expect(await queue.take()).toBe('a');
    queue.done('a');
    await clock.advance(10_000);
    expect(queue.depth).toBe(0);
  });
}

function describeDelays(): void {
  test('uses one timer for all delayed keys', () => {
    for (let index = 0; index < 1_000; index += 1) queue.addAfter(`key-${index}`, 1_000 + index);
    expect(clock.pending).toBe(1);
  });

  test('delays a failing key twice as long each time until it is forgotten', async () => {
    const delays: number[] = [];
    for (let failure = 0; failure < 4; failure += 1) {
      const before = clock.monotonic();
      queue.addRateLimited('a');
      while (queue.depth === 0) await clock.advance(1);
      delays.push(clock.monotonic() - before);
      queue.done((await queue.take()) ?? '');
    }
    expect(delays).toEqual([5, 10, 20, 40]);
    expect(queue.failures('a')).toBe(4);
    expect(metrics.value('workqueue_retries_total', labels)).toBe(4);
    queue.forget('a');
    expect(queue.failures('a')).toBe(0);
  });

  test('waits at least as long as the server asked for', async () => {
    queue.addRateLimited('a', 2_000);
    await clock.advance(1_999);
    expect(queue.depth).toBe(0);
    await clock.advance(1);
    expect(queue.depth).toBe(1);
  });

  test('closing releases the takers and hands out no more keys', async () => {
    const taken = queue.take();
    queue.addAfter('later', 10);
    queue.close();
    expect(await taken).toBeUndefined();
    queue.add('a');
    expect(await queue.take()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });
}

function describeAnyOrder(): void {
  test('has metrics that start at zero and follow the work', async () => {
    expect(metrics.value('workqueue_depth', { ...labels, priority: '0' })).toBe(0);
    for (const name of [
      'adds_total',
      'retries_total',
      'unfinished_work_seconds',
      'longest_running_processor_seconds',
    ]) {
      expect(metrics.value(`workqueue_${name}`, labels)).toBe(0);
    }
    queue.add('a');
    queue.add('b');
    expect(metrics.value('workqueue_depth', { ...labels, priority: '0' })).toBe(2);
    await queue.take();
    await clock.advance(2_000);
    expect(metrics.value('workqueue_longest_running_processor_seconds', labels)).toBe(2);
    queue.done('a');
    expect(metrics.value('workqueue_unfinished_work_seconds', labels)).toBe(0);
    expect(metrics.value('workqueue_work_duration_seconds_count', labels)).toBe(1);
    expect(metrics.value('workqueue_depth', { ...labels, priority: '0' })).toBe(1);
  });

  test('loses no key and hands out none twice at a time, whatever the order of calls', async () => {
    const step = fc.record({
      call: fc.constantFrom(
        'add' as const,
        'low' as const,
        'after' as const,
        'limited' as const,
        'take' as const,
        'done' as const,
        'advance' as const,
      ),
      key: fc.constantFrom('a', 'b', 'c'),
      ms: fc.nat({ max: 50 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        clock = new ManualClock();
        queue = new WorkQueue({ name: 'smig', clock, metrics });
        const owed = new Set<string>();
        const delayed = new Set<string>();
        const working = new Set<string>();
        const take = async (): Promise<void> => {
          if (queue.depth === 0) return;
          const key = (await queue.take()) ?? 'none';
          expect(working.has(key)).toBe(false);
          // A key that was both added and delayed may come once more than expected.
          expect([owed.delete(key), delayed.has(key)]).toContain(true);
          working.add(key);
        };
        const done = (key: string): void => {
          working.delete(key);
          queue.done(key);
        };
        const adding = (add: () => void, also?: Set<string>) => (key: string) => {
          owed.add(key);
          also?.add(key);
          add();
        };
        for (const { call, key, ms } of steps) {
          const calls = {
            take,
            done,
            advance: async () => await clock.advance(ms),
            add: adding(() => queue.add(key)),
            low: adding(() => queue.add(key, 'low')),
            after: adding(() => queue.addAfter(key, ms), delayed),
            limited: adding(() => queue.addRateLimited(key), delayed),
          };
          await calls[call](key);
        }
        for (let round = 0; round < 4; round += 1) {
          for (const key of working) done(key);
          await clock.advance(1_000_000);
          while (queue.depth > 0) {
            const key = (await queue.take()) ?? '';
            owed.delete(key);
            queue.done(key);
          }
        }
        expect([...owed]).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
}
