import { beforeEach, describe, expect, test } from 'vitest';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { RecordedSpans } from '#test/support/recorded-spans.ts';
import { Controller, type ControllerOptions, type Reconcile } from './controller.ts';
import { WorkQueue } from './queue.ts';

const labels = { controller: 'smig' };

let clock: ManualClock;
let metrics: RecordedMetrics;
let log: RecordedLog;
let queue: WorkQueue;
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock();
  metrics = new RecordedMetrics();
  log = new RecordedLog();
  queue = new WorkQueue({ name: 'smig', clock, metrics });
  stop = new AbortController();
});

function run(reconcile: Reconcile, options: Partial<ControllerOptions> = {}): Promise<void> {
  const controller = new Controller({
    name: 'smig',
    queue,
    reconcile,
    clock,
    metrics,
    logger: log,
    ...options,
  });
  return controller.run(stop.signal);
}

const result = (name: string): number | undefined =>
  metrics.value('controller_runtime_reconcile_total', { ...labels, result: name });

describe('Controller', () => {
  describeRuns();
  describeRetries();
  describeWorkers();
});

function describeRuns(): void {
  test('runs a key once and forgets it', async () => {
    const keys: string[] = [];
    void run(async (key) => {
      keys.push(key);
      return { kind: 'done' };
    });
    queue.add('ns/a');
    await clock.advance(3_600_000);
    expect(keys).toEqual(['ns/a']);
    expect(result('success')).toBe(1);
  });

  test('is a trace with the identifiers of its log lines, and the code of its failure', async () => {
    const tracer = new RecordedSpans();
    const failures = [new OperatorError('BACKEND_UNREACHABLE', { op: 'x' })];
    const reconcile: Reconcile = async (_key, { logger }) => {
      logger.info('reconciling');
      const failure = failures.pop();
      if (failure !== undefined) throw failure;
      return Promise.resolve({ kind: 'done' });
    };
    void run(reconcile, { tracer });
    queue.add('ns/a');
    await clock.advance(3_600_000);
    const ids = log.lines.filter(({ message }) => message === 'reconciling').map(({ fields }) => fields);
    expect(tracer.spans.map(({ start }) => start)).toEqual(
      ids.map(({ reconcileID }) => ({
        name: 'reconcile smig',
        attributes: {
          'keyferry.controller': 'smig',
          'keyferry.key': 'ns/a',
          'keyferry.reconcile_id': reconcileID,
        },
      })),
    );
    expect(tracer.spans.map(({ result }) => result)).toEqual([{ error: 'BACKEND_UNREACHABLE' }, {}]);
  });

  test('reconciles again after the requested time', async () => {
    const times: number[] = [];
    void run(async () => {
      times.push(clock.monotonic());
      return { kind: 'requeue', requeueAfterMs: 30_000 };
    });
    queue.add('ns/a');
    await clock.advance(60_000);
    expect(times).toEqual([0, 30_000, 60_000]);
    expect(result('requeue_after')).toBe(3);
  });
}

function describeRetries(): void {
  interface Row {
    readonly code: ErrorCode;
    /** Times of the runs, in the first 100 ms resp. hour. */
    readonly secondRunAt: number | undefined;
    readonly result: string;
    readonly errors: number;
    readonly extra?: string;
  }

  const table: Row[] = [
    { code: 'VERSION_CONFLICT', secondRunAt: 5, result: 'requeue', errors: 0 },
    { code: 'SERVER_ERROR', secondRunAt: 5, result: 'error', errors: 1 },
    { code: 'BACKEND_NOT_READY', secondRunAt: 30_000, result: 'requeue_after', errors: 0 },
    {
      code: 'SPEC_INVALID',
      secondRunAt: undefined,
      result: 'error',
      errors: 1,
      extra: 'terminal_reconcile_errors',
    },
    { code: 'VERIFY_MISMATCH', secondRunAt: 3_600_000, result: 'error', errors: 1 },
    { code: 'INVARIANT', secondRunAt: 5, result: 'error', errors: 1, extra: 'reconcile_panics' },
  ];

  test.each(table)('$code is retried at $secondRunAt ms', async (row) => {
    const times: number[] = [];
    void run(async () => {
      times.push(clock.monotonic());
      if (times.length > 1) return { kind: 'done' };
      throw new OperatorError(row.code, { op: 'test' });
    });
    queue.add('ns/a');
    await settle();
    expect(result(row.result)).toBe(1);
    expect(metrics.value('controller_runtime_reconcile_errors_total', labels)).toBe(row.errors);
    for (const extra of ['terminal_reconcile_errors', 'reconcile_panics']) {
      expect(metrics.value(`controller_runtime_${extra}_total`, labels)).toBe(row.extra === extra ? 1 : 0);
    }
    await clock.advance(7_200_000);
    expect(times).toEqual(row.secondRunAt === undefined ? [0] : [0, row.secondRunAt]);
  });

  test('waits as long as the server asked for', async () => {
    const times: number[] = [];
    void run(async () => {
      times.push(clock.monotonic());
      if (times.length > 1) return { kind: 'done' };
      throw new OperatorError('RATE_LIMITED', { op: 'test', retryAfterMs: 7_000 });
    });
    queue.add('ns/a');
    await clock.advance(10_000);
    expect(times).toEqual([0, 7_000]);
  });

  test('counts any other thrown value as a bug, and the worker continues', async () => {
    const keys: string[] = [];
    void run(async (key) => {
      keys.push(key);
      if (key === 'ns/bad') throw new TypeError('undefined is not a function');
      return { kind: 'done' };
    });
    queue.add('ns/bad');
    queue.add('ns/good');
    await settle();
    expect(keys).toEqual(['ns/bad', 'ns/good']);
    expect(metrics.value('controller_runtime_reconcile_panics_total', labels)).toBe(1);
    expect(log.lines.at(-1)).toMatchObject({ level: 'error', fields: { controller: 'smig', key: 'ns/bad' } });
  });

  test('aborts a run at its deadline and backs off', async () => {
    let runs = 0;
    void run(
      async (_key, { signal }) => {
        runs += 1;
        await clock.sleep(3_600_000, signal);
        return { kind: 'done' };
      },
      { deadlineMs: 60_000 },
    );
    queue.add('ns/a');
    await clock.advance(60_000);
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', fields: { code: 'DEADLINE' } });
    await clock.advance(5);
    expect(runs).toBe(2);
  });
}

function describeWorkers(): void {
  test('gives running reconciles no time once the lease is lost', async () => {
    let reason: unknown;
    const running = run(
      async (_key, { signal }) =>
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject((reason = signal.reason))),
        ),
    );
    queue.add('ns/a');
    await settle();
    stop.abort(new OperatorError('LEASE_LOST', { op: 'test' }));
    await running;
    expect(reason).toMatchObject({ code: 'LEASE_LOST' });
    expect(clock.pending).toBe(0);
  });

  test('never runs more keys than it has workers at once, and no key twice at once', async () => {
    let active = 0;
    let most = 0;
    void run(
      async (_key, { signal }) => {
        active += 1;
        most = Math.max(most, active);
        await clock.sleep(100, signal);
        active -= 1;
        return { kind: 'done' };
      },
      { workers: 3 },
    );
    for (let key = 0; key < 10; key += 1) queue.add(`ns/${key}`);
    await clock.advance(50);
    expect(metrics.value('controller_runtime_active_workers', labels)).toBe(3);
    await clock.advance(1_000);
    expect(most).toBe(3);
    expect(result('success')).toBe(10);
  });

  test('at shutdown hands out no more keys and lets the running one finish', async () => {
    const finished: string[] = [];
    const running = run(async (key, { signal }) => {
      await clock.sleep(10_000, signal);
      finished.push(key);
      return { kind: 'done' };
    });
    queue.add('ns/a');
    queue.add('ns/b');
    await clock.advance(1_000);
    stop.abort();
    await clock.advance(9_000);
    await running;
    expect(finished).toEqual(['ns/a']);
    expect(clock.pending).toBe(0);
  });

  test('aborts running reconciles after the grace period, and does not wait for those that ignore it', async () => {
    let reason: unknown;
    const running = run(
      async (_key, { signal }) => {
        signal.addEventListener('abort', () => (reason = signal.reason));
        return await new Promise(() => undefined);
      },
      { graceMs: 5_000, abandonMs: 1_000 },
    );
    queue.add('ns/a');
    await settle();
    stop.abort();
    await clock.advance(4_999);
    expect(reason).toBeUndefined();
    await clock.advance(1_001);
    await running;
    expect(reason).toMatchObject({ code: 'LEASE_LOST' });
    expect(log.lines.at(-1)?.level).toBe('warn');
    expect(metrics.value('controller_runtime_reconcile_errors_total', labels)).toBe(0);
  });
}
