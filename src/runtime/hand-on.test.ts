import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { Controller, type Reconcile, type ReconcileContext } from './controller.ts';
import type { HandOnLimits } from './hand-on.ts';
import { WorkQueue } from './queue.ts';

const never = (): AbortSignal => new AbortController().signal;
const LIMITS: HandOnLimits = { most: 6, mostPerGroup: 3, canEnd: true };

let clock: ManualClock;
let metrics: RecordedMetrics;
let queue: WorkQueue;
let stop: AbortController;
let log: string[];
let ended: string[];

beforeEach(() => {
  clock = new ManualClock();
  metrics = new RecordedMetrics();
  const sharing = { groupOf: (key: string) => key.slice(0, key.indexOf('/')), mostPerGroup: 2 };
  queue = new WorkQueue({ name: 'smig', clock, metrics, sharing });
  stop = new AbortController();
  log = [];
  ended = [];
});

async function run(reconcile: Reconcile, more: { workers: number; handsOn?: HandOnLimits }): Promise<void> {
  const controller = new Controller({
    name: 'smig',
    queue,
    reconcile,
    clock,
    metrics,
    logger: new RecordedLog(),
    handsOn: LIMITS,
    ...more,
  });
  return controller.run(stop.signal);
}

/** As a migration: a step of 100 ms for each document, and a safe point between two of them. */
async function carry(key: string, documents: number, { signal, turn }: ReconcileContext): Promise<void> {
  for (let each = 0; each < documents; each += 1) {
    if (turn?.ends.aborted === true) return;
    if (turn?.isOver === true) await turn.again(signal);
    await clock.sleep(100, signal);
    log.push(`${key} ${each}`);
  }
}

/** `large` has 50 documents, `hangs` waits for a server that never answers, everything else has two documents. */
const reconcile: Reconcile = async (key, context) => {
  const { signal, turn } = context;
  if (key.endsWith('hangs')) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => reject(signal.reason));
    turn?.ends.addEventListener('abort', () => resolve());
    await promise;
  } else {
    await carry(key, key.includes('large') ? 50 : 2, context);
  }
  ended.push(key);
  return turn?.ends.aborted === true ? { kind: 'requeue', requeueAfterMs: 0 } : { kind: 'done' };
};

describe('a worker', () => {
  describeHandingOn();
  describeTooMany();
  describeEnds();
});

function describeHandingOn(): void {
  it('is handed on: a small one is done while the large ones still run, of its own namespace or of others', async () => {
    void run(reconcile, { workers: 2 });
    for (const key of ['a/large', 'b/large']) queue.add(key);
    await clock.advance(1_000);
    queue.add('a/small');
    queue.add('c/small');
    await clock.advance(1_500);
    expect(ended).toEqual(['a/small', 'c/small']);
    await clock.advance(20_000);
    expect(ended.toSorted()).toEqual(['a/large', 'a/small', 'b/large', 'c/small']);
  });

  it('is not held by a server that does not answer', async () => {
    void run(reconcile, { workers: 2 });
    for (const key of ['a/hangs', 'b/hangs']) queue.add(key);
    await clock.advance(1_000);
    queue.add('c/small');
    queue.add('c/large');
    await clock.advance(20_000);
    expect(ended).toEqual(['c/small', 'c/large']);
  });

  it('comes back to a large one, which goes on where it was: no document is done twice or left out', async () => {
    void run(reconcile, { workers: 1, handsOn: { ...LIMITS, most: 20, mostPerGroup: 20 } });
    queue.add('a/large');
    for (let each = 0; each < 30; each += 1) {
      queue.add(`b/small${each}`);
      await clock.advance(200);
    }
    await clock.advance(30_000);
    const documents = log.filter((line) => line.startsWith('a/large'));
    expect(documents).toEqual(Array.from({ length: 50 }, (_, each) => `a/large ${each}`));
    expect(ended.length).toBe(31);
  });

  it('goes to a large one in turn, however many small ones come', async () => {
    void run(reconcile, { workers: 1, handsOn: { ...LIMITS, most: 20, mostPerGroup: 20 } });
    queue.add('a/large');
    for (let each = 0; !ended.includes('a/large') && each < 500; each += 1) {
      queue.add(`b/small${each}`);
      await clock.advance(200);
    }
    // A quarter of the turns, of at least two documents.
    expect(ended.indexOf('a/large')).toBeGreaterThan(0);
    expect(ended.length).toBeLessThan(200);
  });

  it('is kept by one that nobody waits for', async () => {
    void run(reconcile, { workers: 2 });
    queue.add('a/large');
    queue.add('a/hangs');
    await clock.advance(60_000);
    expect(metrics.value('keyferry_workers_handed_on_total', { controller: 'smig' })).toBe(0);
    expect(metrics.value('controller_runtime_active_workers', { controller: 'smig' })).toBe(1);
  });

  it('is one of so many: what waits without one is not counted, and large ones take turns of seconds', async () => {
    void run(reconcile, { workers: 1 });
    for (const key of ['a/large', 'b/large']) queue.add(key);
    await clock.advance(8_000);
    expect(metrics.value('controller_runtime_active_workers', { controller: 'smig' })).toBe(1);
    const changes = log.filter((line, at) => at > 0 && line[0] !== log[at - 1]?.[0]).length;
    expect(changes).toBeGreaterThan(2);
    expect(changes).toBeLessThan(9);
  });
}

function describeTooMany(): void {
  it('is there for a small one also behind more hanging servers than may wait without one', async () => {
    void run(reconcile, { workers: 2 });
    for (const group of 'abcdef') for (let each = 0; each < 4; each += 1) queue.add(`${group}/${each} hangs`);
    await clock.advance(10_000);
    queue.add('z/small');
    await clock.advance(5_000);
    expect(ended).toContain('z/small');
  });

  it('is there for a large one that was ended for others: each time it may run twice as long', async () => {
    void run(reconcile, { workers: 1, handsOn: { most: 1, mostPerGroup: 1, canEnd: true } });
    const large = ['a/large', 'b/large', 'c/large', 'd/large'];
    for (const key of large) queue.add(key);
    await clock.advance(600_000);
    expect(large.filter((key) => log.includes(`${key} 49`))).toEqual(large);
  });

  it('is not taken where the work cannot be ended and too many wait', async () => {
    void run(reconcile, { workers: 1, handsOn: { most: 1, mostPerGroup: 1, canEnd: false } });
    for (const key of ['a/hangs', 'b/hangs', 'c/small']) queue.add(key);
    await clock.advance(60_000);
    expect(ended).toEqual([]);
    expect(metrics.value('keyferry_workers_handed_on_total', { controller: 'smig' })).toBe(1);
  });
}

function describeEnds(): void {
  it('is not needed to end: what fails or is stopped while it waits ends at once, and can be done again', async () => {
    const stopping = new AbortController();
    void run(
      async (key, context) => {
        if (key !== 'a/large') return reconcile(key, context);
        const { turn } = context;
        log.push('begins');
        await clock.sleep(900, never());
        await turn?.again(stopping.signal).catch(() => log.push('stopped'));
        return { kind: 'done' };
      },
      { workers: 1 },
    );
    queue.add('a/large');
    await settle();
    queue.add('b/hangs');
    await clock.advance(1_000);
    queue.add('a/large');
    stopping.abort();
    await clock.advance(1_000);
    expect(log.slice(0, 2)).toEqual(['begins', 'stopped']);
    expect(log.filter((line) => line === 'begins').length).toBe(2);
  });

  it('does not keep the process: those that wait go on at the end, and the controller waits for them', async () => {
    const running = run(reconcile, { workers: 1 });
    queue.add('a/large');
    await settle();
    queue.add('b/large');
    await clock.advance(1_000);
    stop.abort();
    await clock.advance(10_000);
    await running;
    expect(ended.toSorted()).toEqual(['a/large', 'b/large']);
  });
}
