import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forEachConcurrently, mapConcurrently } from './map-concurrently.ts';

describe('a width that shrinks', () => {
  it.each(['mapConcurrently', 'forEachConcurrently'])('is obeyed by %s', async (name) => {
    let [running, width, over, ended] = [0, 8, 0, 0];
    const task = async (): Promise<void> => {
      running += 1;
      if (ended > 20) over = Math.max(over, running - 2);
      for (let turn = 0; turn < 3; turn += 1) await Promise.resolve();
      running -= 1;
      ended += 1;
      if (ended === 10) width = 2;
    };
    const items = Array.from({ length: 50 }, (_, index) => index);
    if (name === 'mapConcurrently') for await (const _ of mapConcurrently(items, () => width, task));
    else await forEachConcurrently(items, task, { limit: () => width, stop: () => false });
    expect({ ended, over }).toEqual({ ended: 50, over: 0 });
  });
});

describe('mapConcurrently', () => {
  it('runs every item once and never more than the width at once', async () => {
    const check = async (items: readonly number[], width: number): Promise<void> => {
      let running = 0;
      let most = 0;
      const results: number[] = [];
      const task = async (item: number): Promise<number> => {
        running += 1;
        most = Math.max(most, running);
        for (let turn = 0; turn < item % 5; turn += 1) await Promise.resolve();
        running -= 1;
        return item;
      };
      for await (const result of mapConcurrently(items, width, task)) results.push(result);
      const ascending = (left: number, right: number): number => left - right;
      expect(results.toSorted(ascending)).toEqual(items.toSorted(ascending));
      expect(most).toBeLessThanOrEqual(width);
    };
    await fc.assert(fc.asyncProperty(fc.array(fc.nat(50)), fc.integer({ min: 1, max: 8 }), check));
  });

  it('ends with the first failure, after all started tasks have ended', async () => {
    let ended = 0;
    const task = async (item: number): Promise<number> => {
      await Promise.resolve();
      if (item === 1) throw new Error('one');
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      ended += 1;
      return item;
    };
    const run = async (): Promise<void> => {
      for await (const _ of mapConcurrently([0, 1, 2, 3, 4], 3, task));
    };
    await expect(run()).rejects.toThrow('one');
    expect(ended).toBe(2);
  });
});
