import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { figuresOf, median } from './statistics.ts';

describe('figures', () => {
  it('are values that were there, by the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(figuresOf(values)).toEqual({ p50: 50, p99: 99, max: 100 });
    expect(figuresOf([7])).toEqual({ p50: 7, p99: 7, max: 7 });
  });

  it('leave no more than the other half on either side of a median', () => {
    const values = fc.array(fc.integer(), { minLength: 1 });
    const property = fc.property(values, (all) => {
      const middle = median(all);
      expect(all.filter((value) => value < middle).length).toBeLessThanOrEqual(all.length / 2);
      expect(all.filter((value) => value > middle).length).toBeLessThanOrEqual(all.length / 2);
    });
    fc.assert(property);
  });
});
