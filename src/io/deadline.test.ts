import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { Deadline, EitherSignal } from './deadline.ts';

it('aborts with DEADLINE after its timeout, and names the operation', async () => {
  const clock = new ManualClock();
  using deadline = new Deadline(clock, 1_000, new AbortController().signal, { op: 'test', target: 'a' });
  await clock.advance(999);
  expect(deadline).toMatchObject({ expired: false, remainingMs: 1 });
  await clock.advance(1);
  expect(deadline).toMatchObject({ expired: true, remainingMs: 0 });
  expect(deadline.signal.reason).toMatchObject({ code: 'DEADLINE', op: 'test', target: 'a' });
});

it('follows the signal of the caller, and then reports that the caller ended it', async () => {
  const clock = new ManualClock();
  const caller = new AbortController();
  using deadline = new Deadline(clock, 1_000, caller.signal);
  caller.abort('enough');
  expect(deadline.signal.reason).toBe('enough');
  await clock.advance(1_000);
  expect(deadline.expired).toBe(false);
  using late = new Deadline(clock, 1_000, caller.signal);
  expect(late.signal.reason).toBe('enough');
});

it('counts from the last touch', async () => {
  const clock = new ManualClock();
  using deadline = new Deadline(clock, 1_000, new AbortController().signal);
  for (let second = 0; second < 5; second += 1) {
    await clock.advance(900);
    deadline.touch();
  }
  await clock.advance(999);
  expect(deadline.expired).toBe(false);
  await clock.advance(1);
  expect(deadline.expired).toBe(true);
});

it('leaves neither timer nor listener', () => {
  const clock = new ManualClock();
  const caller = new AbortController();
  new Deadline(clock, 1_000, caller.signal)[Symbol.dispose]();
  expect(clock.pending).toBe(0);
  expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
});

it('that is unpausable does not stand still, and is the root of the work', async () => {
  const clock = new ManualClock();
  using whole = Deadline.unpausable(clock, 1_000, new AbortController().signal);
  using call = new Deadline(clock, 1_000, whole.signal);
  using _waiting = Deadline.pause(call.signal);
  await clock.advance(1_000);
  expect([whole.expired, call.expired]).toEqual([true, false]);
  expect(call.signal.reason).toBe(whole.signal.reason);
  expect(Deadline.rootOf(call.signal)).toBe(whole.signal);
});

it('is followed by a signal that also follows another one, and stands still with it', async () => {
  const clock = new ManualClock();
  const other = new AbortController();
  using time = new Deadline(clock, 1_000, new AbortController().signal);
  using either = new EitherSignal(time.signal, other.signal);
  expect(Deadline.rootOf(either.signal)).toBe(Deadline.rootOf(time.signal));
  const waiting = Deadline.pause(either.signal);
  await clock.advance(5_000);
  waiting[Symbol.dispose]();
  expect(either.signal.aborted).toBe(false);
  other.abort('enough');
  expect(either.signal.reason).toBe('enough');
  expect(time.signal.aborted).toBe(false);
});
