import { expect, test } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { DEFAULT_RETRY_LIMITS, RetryLimiter } from './retry-limiter.ts';

test('a key never waits longer than the cap', () => {
  const limiter = new RetryLimiter(DEFAULT_RETRY_LIMITS, new ManualClock());
  for (let failure = 0; failure < 90; failure += 1) limiter.nextMs('a');
  expect(limiter.nextMs('a')).toBe(1_000_000);
});

test('a hundred keys may fail at once, the others are spread over time', async () => {
  const clock = new ManualClock();
  const limiter = new RetryLimiter(DEFAULT_RETRY_LIMITS, clock);
  const delays = Array.from({ length: 103 }, (_, index) => limiter.nextMs(`key-${index}`));
  expect(delays.slice(0, 100)).toEqual(Array.from({ length: 100 }, () => 5));
  expect(delays.slice(100)).toEqual([100, 200, 300]);
  await clock.advance(20_000);
  expect(limiter.nextMs('late')).toBe(5);
});

test('each group has a bucket of its own', () => {
  const limiter = new RetryLimiter(DEFAULT_RETRY_LIMITS, new ManualClock(), (key) => key[0] ?? '');
  for (let failure = 0; failure < 800; failure += 1) limiter.nextMs(`a${failure}`);
  expect(limiter.nextMs('a')).toBeGreaterThan(60_000);
  expect(limiter.nextMs('b')).toBe(5);
});
