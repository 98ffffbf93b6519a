import { expect, test } from 'vitest';
import { exponentialMs, parseRetryAfter, backoffMs } from './retry-delay.ts';

const shape = { baseMs: 200, capMs: 1_000, jitter: 0.5 };
const delays = (drawn: number, retryAfterMs?: number): number[] =>
  [1, 2, 3, 4, 100].map((failures) => backoffMs(shape, failures, { random: () => drawn, retryAfterMs }));

test('a delay doubles up to the cap, and only its jitter is random', () => {
  expect([1, 2, 3, 4, 1_000].map((failures) => exponentialMs(shape, failures))).toEqual([
    200, 400, 800, 1_000, 1_000,
  ]);
  expect(delays(0)).toEqual([100, 200, 400, 500, 500]);
  expect(delays(0.5)).toEqual([150, 300, 600, 750, 750]);
  expect(backoffMs({ ...shape, jitter: 1 }, 1, { random: () => 0 })).toBe(0);
  expect(backoffMs({ ...shape, jitter: 0 }, 1, { random: () => 0 })).toBe(200);
});

test('a delay is never shorter than the server asked for, and at most a fifth longer', () => {
  expect(delays(0, 450)).toEqual([450, 450, 450, 500, 500]);
  expect(delays(0.5, 2_000)).toEqual([2_200, 2_200, 2_200, 2_200, 2_200]);
  expect(delays(0, 0)).toEqual(delays(0));
});

test.each([
  ['3', 3_000],
  ['0', 0],
  ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
  ['-1', undefined],
  [['3', '4'], undefined],
  [undefined, undefined],
])('Retry-After %j is %j ms', (header, ms) => {
  expect(parseRetryAfter(header)).toBe(ms);
});
