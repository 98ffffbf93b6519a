import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXPIRY_TOLERANCE_MS } from '#src/core/document.ts';
import { hasExpired, lifetimeLeft, parseLifetime } from './lifetime.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');

describe('a lifetime', () => {
  it.each([
    ['0s', 0],
    ['1s', 1],
    ['1m40s', 100],
    ['1h30m0s', 5_400],
    ['720h0m0s', 2_592_000],
    ['1.5s', 1],
    ['never', 0],
  ])('that the server writes as %s is %i seconds', (text, seconds) => {
    expect(parseLifetime(text)).toBe(seconds);
  });

  it('that remains ends with the original, within the tolerance, at any fraction of a second', () => {
    const check = (leftMs: number, partOfSecond: number) => {
      const expiresAt = new Date(NOW + leftMs).toISOString();
      // The server reports NOW and writes up to a second later.
      const end = NOW + partOfSecond + lifetimeLeft(expiresAt, NOW, 'a') * 1_000;
      expect(Math.abs(end - (NOW + leftMs))).toBeLessThanOrEqual(EXPIRY_TOLERANCE_MS);
    };
    fc.assert(fc.property(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 0, max: 999 }), check));
  });

  it.each([NOW, NOW - 1, NOW - 1e9])('that has passed (%i) is an error', (end) => {
    expect(() => lifetimeLeft(new Date(end).toISOString(), NOW, 'a')).toThrow(
      expect.objectContaining({ code: 'EXPIRED' }),
    );
  });

  it('that is not a time is an error', () => {
    expect(() => lifetimeLeft('tomorrow', NOW, 'a')).toThrow(expect.objectContaining({ code: 'EXPIRED' }));
  });
});

describe('a hidden version', () => {
  it.each([
    ['whole seconds after its creation, to the nanosecond', '2030-01-01T00:00:05.040163496Z', true],
    ['at another fraction of a second', '2030-01-01T00:00:05.040163497Z', false],
    ['at once', '2030-01-01T00:00:00.040163496Z', false],
    ['never', undefined, false],
  ])('that ended %s has expired: %s', (_when, end, expired) => {
    expect(hasExpired('2030-01-01T00:00:00.040163496Z', end)).toBe(expired);
  });
});
