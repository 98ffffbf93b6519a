import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DelayHeap } from './delay-heap.ts';

test('returns all keys in order of time', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (times) => {
      const heap = new DelayHeap();
      for (const at of times) heap.push({ key: String(at), at });
      expect(heap.earliest?.at).toBe(times.length === 0 ? undefined : Math.min(...times));
      const popped = times.map(() => heap.pop()?.at);
      expect(popped).toEqual(times.toSorted((a, b) => a - b));
      expect(heap.pop()).toBeUndefined();
    }),
  );
});
