import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const WORKER = new URL('./pattern-worker.ts', import.meta.url);
/** Compiling and matching the cases takes milliseconds, if the time is linear. */
const DEADLINE_MS = 5000;

interface Case {
  readonly from: string;
  readonly to: string;
  readonly name: string;
}

/** True when all cases are matched before the deadline. */
async function endsInTime(cases: readonly Case[]): Promise<boolean> {
  const worker = new Worker(WORKER, { workerData: cases });
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), DEADLINE_MS);
  worker.once('exit', () => resolve(true)).once('error', reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

const part = (index: number): string => `{p${index}}`;

/** Parts with a short text between them, and a name of 253 characters that nearly matches in many ways. */
const almostMatching = fc
  .record({
    count: fc.integer({ min: 1, max: 12 }),
    between: fc.constantFrom('x', 'xx', 'ab', '-', ':', 'x-', '/'),
    end: fc.constantFrom('', 'y', '-', '!'),
    unit: fc.constantFrom('x', 'ab', 'x-', 'a:', 'x/'),
    length: fc.integer({ min: 1, max: 253 }),
  })
  .map(({ count, between, end, unit, length }): Case => {
    const from = `${Array.from({ length: count }, (_, index) => part(index)).join(between)}${end}`;
    return { from, to: `new-${from}`, name: unit.repeat(length).slice(0, length) };
  });

describe('matching a name against a pattern', () => {
  it('takes no longer for twelve parts with letters between them than for one', async () => {
    const parts = Array.from({ length: 12 }, (_, index) => part(index)).join('x');
    expect(await endsInTime([{ from: `${parts}y`, to: `${parts}z`, name: 'x'.repeat(253) }])).toBe(true);
  });

  it('ends in time for any pattern and any name', async () => {
    const cases = fc.sample(almostMatching, { numRuns: 2000 });
    expect(await endsInTime(cases)).toBe(true);
  });
});
