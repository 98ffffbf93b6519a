import { expect, test } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { Backoff } from './backoff.ts';

const limits = { baseMs: 800, capMs: 30_000, resetAfterMs: 120_000 };

test('doubles up to the cap, and starts again after two quiet minutes', async () => {
  const clock = new ManualClock();
  const backoff = new Backoff({ ...limits, clock, random: () => 1 });
  const delays = Array.from({ length: 7 }, () => backoff.nextMs());
  expect(delays).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
  await clock.advance(120_000);
  expect(backoff.nextMs()).toBe(30_000);
  await clock.advance(120_001);
  expect(backoff.nextMs()).toBe(800);
});

test('draws from the whole range, and never waits less than the server asked for', () => {
  const backoff = new Backoff({ ...limits, clock: new ManualClock(), random: () => 0.25 });
  expect(backoff.nextMs()).toBe(200);
  expect(backoff.nextMs(5_000)).toBe(5_250);
});
