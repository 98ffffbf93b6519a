import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { walkConcurrently, type Step } from './walk-concurrently.ts';

/** A tree in which the node `n` has the nodes `2n` and `2n + 1` below it, up to `size`. */
const below = (node: number, size: number): readonly number[] =>
  [2 * node, 2 * node + 1].filter((each) => each <= size);

describe('walkConcurrently', () => {
  it('takes every item once, and never more than the width at once', async () => {
    const check = async (size: number, width: number): Promise<void> => {
      let [running, most] = [0, 0];
      const seen: number[] = [];
      const task = async (node: number): Promise<Step<number, number>> => {
        running += 1;
        most = Math.max(most, running);
        for (let turn = 0; turn < node % 5; turn += 1) await Promise.resolve();
        running -= 1;
        return { result: node, more: below(node, size) };
      };
      for await (const node of walkConcurrently(1, width, task)) seen.push(node);
      expect(seen.toSorted((left, right) => left - right)).toEqual(
        Array.from({ length: size }, (_, index) => index + 1),
      );
      expect(most).toBeLessThanOrEqual(width);
      if (size > 2 && width > 1) expect(most).toBeGreaterThan(1);
    };
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 8 }), check));
  });

  it('ends with the first failure, after all started tasks have ended', async () => {
    let ended = 0;
    const task = async (node: number): Promise<Step<number, number>> => {
      await Promise.resolve();
      if (node === 3) throw new Error('three');
      const turns = node > 1 ? 20 : 0;
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      ended += 1;
      return { result: node, more: below(node, 7) };
    };
    const run = async (): Promise<void> => {
      for await (const _ of walkConcurrently(1, 2, task));
    };
    await expect(run()).rejects.toThrow('three');
    expect(ended).toBe(2);
  });
});
