import { describe, expect, test } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { retryDelayMs } from './retry.ts';

const read = { writes: false, random: () => 0 };
const write = { writes: true, random: () => 0 };

describe('retryDelayMs', () => {
  test('waits as long as a 429 asks for, also for writes: nothing was applied', () => {
    const problem = new OperatorError('RATE_LIMITED', { op: 'x', status: 429, retryAfterMs: 1_000 });
    expect(retryDelayMs(problem, 1, write)).toBe(1_000);
    expect(retryDelayMs(problem, 9, { writes: true, random: () => 0.5 })).toBe(1_100);
    expect(retryDelayMs(problem, 10, write)).toBeUndefined();
  });

  test('repeats only reads after a 503, and neither without Retry-After', () => {
    const asked = new OperatorError('SERVER_ERROR', { op: 'x', status: 503, retryAfterMs: 1_000 });
    expect(retryDelayMs(asked, 1, read)).toBe(1_000);
    expect(retryDelayMs(asked, 1, write)).toBeUndefined();
    expect(
      retryDelayMs(new OperatorError('SERVER_ERROR', { op: 'x', status: 503 }), 1, read),
    ).toBeUndefined();
    expect(
      retryDelayMs(new OperatorError('RATE_LIMITED', { op: 'x', status: 429 }), 1, read),
    ).toBeUndefined();
  });

  test('retries an unreachable server a few times, unless a write may have arrived', () => {
    const unsent = new OperatorError('BACKEND_UNREACHABLE', { op: 'x' });
    expect([1, 2, 3, 4].map((attempt) => retryDelayMs(unsent, attempt, write))).toEqual([
      100,
      200,
      400,
      undefined,
    ]);
    const unknown = new OperatorError('BACKEND_UNREACHABLE', { op: 'x', indeterminate: true });
    expect(retryDelayMs(unknown, 1, write)).toBeUndefined();
  });

  test.each(['CONFLICT', 'DEADLINE', 'AUTH_DENIED'] as const)('leaves %s to the caller', (name) => {
    const code = name === 'CONFLICT' ? 'VERSION_CONFLICT' : name;
    expect(retryDelayMs(new OperatorError(code, { op: 'x', retryAfterMs: 1 }), 1, read)).toBeUndefined();
  });
});
