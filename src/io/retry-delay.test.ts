import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { exponentialMs, MAX_RETRY_AFTER_MS, parseRetryAfter, backoffMs } from './retry-delay.ts';

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
  ['99', 60_000],
  ['9'.repeat(400), 60_000],
  ['1e9', undefined],
  ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
  ['-1', undefined],
  [['3', '4'], undefined],
  [undefined, undefined],
])('Retry-After %j is %j ms', (header, ms) => {
  expect(parseRetryAfter(header)).toBe(ms);
});

test.each([
  ['Wed, 21 Oct 2026 07:28:07 GMT', 7_000],
  ['Wed, 21 Oct 2026 07:27:00 GMT', 0],
  ['Fri, 31 Dec 9999 23:59:59 GMT', 60_000],
  ['Wed, 21 Oct 2026 99:99:99 GMT', undefined],
  ['2026-10-21T07:28:07Z', undefined],
])('Retry-After %j counts from the Date of the reply: %j ms', (header, ms) => {
  expect(parseRetryAfter(header, 'Wed, 21 Oct 2026 07:28:00 GMT')).toBe(ms);
});

const header = fc.oneof(
  fc.string(),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String),
  fc.double().map(String),
  fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') })
    .map((date) => date.toUTCString()),
  fc.array(fc.string()),
  fc.constant(undefined),
);

test('no header makes a client wait longer than a minute and the jitter, or a negative time', () => {
  fc.assert(
    fc.property(header, header, fc.double({ min: 0, max: 0.999, noNaN: true }), (retryAfter, date, drawn) => {
      const retryAfterMs = parseRetryAfter(retryAfter, date);
      if (retryAfterMs !== undefined) {
        expect(retryAfterMs).toBeGreaterThanOrEqual(0);
        expect(retryAfterMs).toBeLessThanOrEqual(MAX_RETRY_AFTER_MS);
      }
      expect(backoffMs(shape, 1, { random: () => drawn, retryAfterMs })).toBeLessThanOrEqual(72_000);
    }),
  );
});

test.each([Number.POSITIVE_INFINITY, Number.NaN, -1, 2 ** 53])(
  'a delay of %s ms is bounded as well',
  (retryAfterMs) => {
    const delayMs = backoffMs(shape, 1, { random: () => 0.5, retryAfterMs });
    expect(delayMs).toBeGreaterThanOrEqual(0);
    expect(delayMs).toBeLessThanOrEqual(72_000);
  },
);
