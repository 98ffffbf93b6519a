import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { Deadline } from './deadline.ts';

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
