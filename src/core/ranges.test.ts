import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangeOf } from './ranges.ts';

describe('the range of a document', () => {
  it('is one of those that there are, for any name', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 2, max: 64 }), (name, count) => {
        const index = rangeOf(name, count);
        expect(Number.isInteger(index) && index >= 0 && index < count).toBe(true);
      }),
    );
  });

  it('is the same in every version, because rows of earlier runs are in the reports of their range', () => {
    const names = ['', 'a', 'payments', 'team/db/password', 'gr\u00f6\u00dfe', 'doc-000001'];
    expect(names.map((name) => rangeOf(name, 64))).toMatchInlineSnapshot(`
      [
        42,
        6,
        5,
        39,
        37,
        51,
      ]
    `);
  });

  it.each([2, 3, 7, 64])(
    'cuts names that differ in their last digits into %i parts of nearly one size',
    (count) => {
      const sizes = Array.from({ length: count }, () => 0);
      const total = 20_000;
      for (let index = 0; index < total; index += 1) {
        const range = rangeOf(`doc-${String(index).padStart(7, '0')}`, count);
        sizes[range] = (sizes[range] ?? 0) + 1;
      }
      const even = total / count;
      expect(Math.max(...sizes)).toBeLessThan(even * 1.3);
      expect(Math.min(...sizes)).toBeGreaterThan(even * 0.7);
    },
  );
});
