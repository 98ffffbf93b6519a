import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from './system-clock.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('a delay above 2^31-1 ms is not cut short', async () => {
  const days = 60 * 24 * 3_600_000;
  const run = vi.fn();
  systemClock.schedule(days, run);
  await vi.advanceTimersByTimeAsync(days - 1);
  expect(run).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(run).toHaveBeenCalledOnce();
});

test('a canceled call never runs, even after re-arming', async () => {
  const run = vi.fn();
  const cancel = systemClock.schedule(2 ** 31 + 1_000, run);
  await vi.advanceTimersByTimeAsync(2 ** 31);
  cancel();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(run).not.toHaveBeenCalled();
});

test('sleep rejects with the reason of the abort and leaves no timer', async () => {
  const stop = new AbortController();
  const slept = systemClock.sleep(1_000, stop.signal);
  const reason = new Error('stopped');
  stop.abort(reason);
  await expect(slept).rejects.toBe(reason);
  await expect(systemClock.sleep(1_000, stop.signal)).rejects.toBe(reason);
  expect(vi.getTimerCount()).toBe(0);
});

test('sleep resolves when the time has passed', async () => {
  const slept = systemClock.sleep(1_000, new AbortController().signal);
  await vi.advanceTimersByTimeAsync(1_000);
  await expect(slept).resolves.toBeUndefined();
});
