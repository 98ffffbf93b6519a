import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EXPIRY_TOLERANCE_MS,
  expiresBefore,
  keepsAttributes,
  outlives,
  type Attributes,
  type Document,
} from './document.ts';

const BEGIN = Date.parse('2030-01-01T00:00:00Z');

function document(attributes: Attributes): Document {
  return { address: 'a', fields: new Map(), attributes };
}

function ending(ms: number | undefined): Document {
  return document(ms === undefined ? {} : { expiresAt: new Date(BEGIN + ms).toISOString() });
}

const end = fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined });
const metadata = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', '__proto__'), fc.constantFrom('1', '2')))
  .map((entries) => new Map(entries));

describe('a copy', () => {
  it('never both outlives its original and expires before it, and equals itself', () => {
    const check = (left: number | undefined, right: number | undefined) => {
      const [copy, original] = [ending(left), ending(right)];
      expect(outlives(copy, original) && expiresBefore(copy, original)).toBe(false);
      expect(outlives(copy, original)).toBe(expiresBefore(original, copy));
      expect(keepsAttributes(copy, copy)).toBe(true);
    };
    fc.assert(fc.property(end, end, check));
  });

  it('without expiry outlives an original that expires, however late', () => {
    const check = (ms: number) => {
      expect(outlives(ending(undefined), ending(ms))).toBe(true);
      expect(keepsAttributes(ending(ms), ending(undefined))).toBe(false);
      expect(keepsAttributes(ending(undefined), ending(ms))).toBe(false);
    };
    fc.assert(fc.property(fc.integer({ min: 0, max: 1e11 }), check));
  });

  it.each([
    [0, true],
    [EXPIRY_TOLERANCE_MS, true],
    [-EXPIRY_TOLERANCE_MS, true],
    [EXPIRY_TOLERANCE_MS + 1, false],
    [-EXPIRY_TOLERANCE_MS - 1, false],
  ])('that expires %i ms after its original keeps its expiry: %s', (offset, kept) => {
    expect(keepsAttributes(ending(60_000), ending(60_000 + offset))).toBe(kept);
  });

  it('parses times with nanoseconds', () => {
    const server = document({ expiresAt: '2030-01-01T00:00:10.040163496Z' });
    expect(keepsAttributes(ending(10_000), server)).toBe(true);
    expect(keepsAttributes(server, ending(undefined))).toBe(false);
  });

  it('keeps metadata when it has each pair, whatever else it has', () => {
    const check = (wanted: Map<string, string>, more: Map<string, string>) => {
      const copy = document({ metadata: new Map([...more, ...wanted]) });
      expect(keepsAttributes(document({ metadata: wanted }), copy)).toBe(true);
      for (const lost of wanted.keys()) {
        const rest = new Map([...wanted].filter(([key]) => key !== lost));
        expect(keepsAttributes(document({ metadata: wanted }), document({ metadata: rest }))).toBe(false);
        const other = new Map([...wanted, [lost, 'another']]);
        expect(keepsAttributes(document({ metadata: wanted }), document({ metadata: other }))).toBe(false);
      }
    };
    fc.assert(fc.property(metadata, metadata, check));
  });
});
