import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { explain } from '#src/errors/explain.ts';
import { OperatorError } from '#src/errors.ts';
import type { ErrorDetail } from '#src/errors.ts';
import type { Clock, Labels } from '#src/ports.ts';
import type { Driver } from '../driver.ts';
import { OPERATIONS } from '../layer.ts';
import { guard } from './guard.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { RecordedSpans } from '#test/support/recorded-spans.ts';
import { permitted } from '#test/support/permit.ts';

const { signal } = new AbortController();
const document = { address: 'a', fields: new Map(), attributes: {} };

/** Records sleeps; timers fire only when the test calls them. */
class ManualTime implements Clock {
  readonly slept: number[] = [];
  readonly timers = new Set<() => void>();
  now = (): number => 0;
  monotonic = (): number => 0;
  sleep = (ms: number): Promise<void> => {
    this.slept.push(ms);
    return Promise.resolve();
  };
  schedule = (_ms: number, run: () => void): (() => void) => {
    this.timers.add(run);
    return () => this.timers.delete(run);
  };
}

function aGuard(calls: Partial<Driver>, { origin }: { readonly origin?: string } = {}) {
  const log = new RecordedLog();
  const clock = new ManualTime();
  const counted: (Labels | undefined)[] = [];
  const zeros: (Labels | undefined)[] = [];
  const metrics = {
    count: (_name: string, labels?: Labels, by?: number) => (by === 0 ? zeros : counted).push(labels),
    observe: () => undefined,
    gauge: () => undefined,
  };
  const options = { clock, random: () => 0.5, metrics, logger: log, deadlineMs: 1_000 };
  return { driver: guard(innerOf(calls, origin), options), clock, counted, zeros, log };
}

function innerOf(calls: Partial<Driver>, origin?: string): Driver {
  const traits = {
    addressing: 'flat',
    concurrency: 1,
    statesAttributes: true,
    ...(origin === undefined ? {} : { origin }),
  } as const;
  const unasked = (): never => {
    throw new Error('not expected in this test');
  };
  return {
    kind: 'fake',
    traits,
    serverTime: undefined,
    probe: unasked,
    list: unasked,
    versions: unasked,
    read: unasked,
    readMany: unasked,
    refusalOf: unasked,
    locationOf: (address) => ({ store: 'fake', path: address }),
    backups: undefined,
    claims: undefined,
    isLeaving: unasked,
    copies: undefined,
    projections: undefined,
    addressRefusalOf: unasked,
    denied: unasked,
    write: unasked,
    delete: unasked,
    [Symbol.asyncDispose]: unasked,
    ...calls,
  };
}

/** With the deadlines of the operator, and the number of calls that reach the driver. */
function silentGuard(clock: ManualClock, calls: Partial<Driver>) {
  let count = 0;
  const counting = Object.entries(calls).map(([name, call]) => [
    name,
    (...given: unknown[]): unknown => {
      count += 1;
      return typeof call === 'function' ? Reflect.apply(call, undefined, given) : call;
    },
  ]);
  const inner = innerOf(Object.fromEntries(counting));
  const driver = guard(inner, { clock, random: () => 0.5, metrics: new RecordedMetrics() });
  return { driver, calls: () => count };
}

const failing = (
  code: 'BACKEND_SEALED' | 'AUTH_DENIED' | 'RATE_LIMITED',
  detail: Partial<ErrorDetail> = {},
) => new OperatorError(code, { op: 'test', ...detail });

describe('a guarded driver', () => {
  it('counts each operation and its usual failures from zero, so that a rate sees the first one', () => {
    const { zeros } = aGuard({});
    const usual = ['ok', 'AUTH_DENIED', 'BACKEND_UNREACHABLE', 'DEADLINE', 'RATE_LIMITED', 'SERVER_ERROR'];
    for (const code of usual) expect(zeros).toContainEqual({ backend: 'fake', operation: 'write', code });
    expect(zeros).toHaveLength(Object.keys(OPERATIONS).length * usual.length);
  });

  it('retries a read with a temporary failure, with growing delays, and then gives up', async () => {
    const { driver, clock, counted } = aGuard({ read: () => Promise.reject(failing('BACKEND_SEALED')) });
    await expect(driver.read('a', signal)).rejects.toMatchObject({ code: 'BACKEND_SEALED' });
    expect(clock.slept).toEqual([150, 300]);
    expect(counted).toHaveLength(3);
    expect(new Set(counted.map((labels) => labels?.['code']))).toEqual(new Set(['BACKEND_SEALED']));
  });

  it('waits as long as the server asks, but not if that is too long', async () => {
    const patient = aGuard({ read: () => Promise.reject(failing('RATE_LIMITED', { retryAfterMs: 2_000 })) });
    await expect(patient.driver.read('a', signal)).rejects.toThrow();
    expect(patient.clock.slept.every((ms) => ms >= 2_000)).toBe(true);
    const busy = aGuard({ read: () => Promise.reject(failing('RATE_LIMITED', { retryAfterMs: 60_000 })) });
    await expect(busy.driver.read('a', signal)).rejects.toThrow();
    expect(busy.clock.slept).toEqual([]);
  });

  it('does not retry a permanent failure, nor any write or delete', async () => {
    let calls = 0;
    const fail = (code: 'BACKEND_SEALED' | 'AUTH_DENIED') => () => {
      calls += 1;
      return Promise.reject(failing(code));
    };
    const { driver } = aGuard({
      read: fail('AUTH_DENIED'),
      write: fail('BACKEND_SEALED'),
      delete: fail('BACKEND_SEALED'),
    });
    await expect(driver.read('a', signal)).rejects.toThrow();
    await expect(driver.write(document, 'absent', permitted(signal))).rejects.toThrow();
    await expect(driver.delete('a', { identity: 'i', revision: '1' }, permitted(signal))).rejects.toThrow();
    expect(calls).toBe(3);
  });

  it('reports a write past its deadline as indeterminate', async () => {
    const { driver, clock } = aGuard({
      write: (_document, _expect, { signal: inner }) => whenAborted(inner),
    });
    const write = driver.write(document, 'absent', permitted(signal));
    for (const fire of clock.timers) fire();
    await expect(write).rejects.toMatchObject({ code: 'DEADLINE', indeterminate: true });
    expect(clock.timers.size).toBe(0);
  });

  it('asks a silent server once, and gives a probe ten seconds whatever its own deadline', async () => {
    const clock = new ManualClock();
    const probed = silentGuard(clock, { probe: (inner) => whenAborted(inner) });
    const probe = expect(probed.driver.probe(signal)).rejects.toMatchObject({ code: 'DEADLINE' });
    await clock.advance(10_000);
    await probe;
    const slow = silentGuard(clock, { read: (_address, inner) => whenAborted(inner) });
    const read = expect(slow.driver.read('a', signal)).rejects.toMatchObject({ code: 'DEADLINE' });
    await clock.advance(90_000);
    await read;
    expect([probed.calls(), slow.calls()]).toEqual([1, 1]);
  });

  it('does not repeat a probe that failed', async () => {
    const { driver, clock } = aGuard({ probe: () => Promise.reject(failing('BACKEND_SEALED')) });
    await expect(driver.probe(signal)).rejects.toMatchObject({ code: 'BACKEND_SEALED' });
    expect(clock.slept).toEqual([]);
  });

  it('passes on an abort unchanged', async () => {
    const { driver, clock, counted } = aGuard({ read: (_address, inner) => whenAborted(inner) });
    const controller = new AbortController();
    const read = driver.read('a', controller.signal);
    const reason = new Error('shutdown');
    controller.abort(reason);
    await expect(read).rejects.toBe(reason);
    expect(clock.slept).toEqual([]);
    expect(counted).toEqual([{ backend: 'fake', operation: 'read', code: 'aborted' }]);
  });

  it('retries the one of many reads that failed temporarily', async () => {
    const { driver } = aGuard({
      async *readMany() {
        yield { address: 'a', error: failing('BACKEND_SEALED') };
        yield { address: 'b', error: failing('AUTH_DENIED') };
      },
      read: () => Promise.resolve({ state: 'absent' }),
    });
    const outcomes = [];
    for await (const outcome of driver.readMany(['a', 'b'], signal)) outcomes.push(outcome);
    expect(outcomes[0]).toEqual({ address: 'a', result: { state: 'absent' } });
    expect(outcomes[1]).toHaveProperty('error.code', 'AUTH_DENIED');
  });
});

async function whenAborted(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  signal.throwIfAborted();
  throw new Error('unreachable');
}

describe('a guarded driver of a server whose address an author chose', () => {
  const origin = 'https://bao.example:8200';

  it('shows a deadline like every other missing answer, and logs what it was', async () => {
    const { driver, clock, counted, log } = aGuard(
      { write: (_document, _expect, { signal: inner }) => whenAborted(inner) },
      { origin },
    );
    const write = driver.write(document, 'absent', permitted(signal));
    for (const fire of clock.timers) fire();
    const failure = await write.catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ code: 'DEADLINE', indeterminate: true, unansweredAt: origin });
    const closed = new OperatorError('BACKEND_UNREACHABLE', { op: 'x', unansweredAt: origin });
    expect(explain(failure)).toBe(explain(closed));
    expect(counted.map((labels) => labels?.['code'])).toEqual(['BACKEND_UNREACHABLE']);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { code: 'DEADLINE', unansweredAt: origin } }]);
  });

  it('logs the same cause once a minute', async () => {
    const gone = new OperatorError('TLS_FAILED', { op: 'x', detail: 'Cause: EPROTO.', unansweredAt: origin });
    const { driver, log } = aGuard({ write: () => Promise.reject(gone) }, { origin });
    for (let call = 0; call < 5; call += 1) {
      await expect(driver.write(document, 'absent', permitted(signal))).rejects.toBe(gone);
    }
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]?.fields).toMatchObject({ code: 'TLS_FAILED', unansweredAt: origin });
    expect(JSON.stringify(log.lines[0])).toContain('EPROTO');
  });
});

describe('a guarded driver of files of this machine', () => {
  it('has a span for each operation; others have those of their requests', async () => {
    const tracer = new RecordedSpans();
    const options = { clock: new ManualTime(), random: () => 0.5, metrics: new RecordedMetrics(), tracer };
    const calls: Partial<Driver> = {
      isLeaving: async () => Promise.resolve(false),
      read: () => Promise.reject(failing('AUTH_DENIED')),
    };
    const { traits } = innerOf({});
    const files = guard(innerOf({ ...calls, traits: { ...traits, isLocal: true } }), options);
    for (const driver of [files, guard(innerOf(calls), options)]) {
      await driver.isLeaving(signal);
      await expect(driver.read('a', signal)).rejects.toThrow();
    }
    expect(tracer.spans).toEqual([
      {
        start: { name: 'fake isLeaving', attributes: { 'keyferry.operation': 'fake.isLeaving' } },
        result: {},
      },
      {
        start: { name: 'fake read', attributes: { 'keyferry.operation': 'fake.read' } },
        result: { error: 'AUTH_DENIED' },
      },
    ]);
  });
});
