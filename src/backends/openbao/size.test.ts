import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import { isCertainlyStorable, MAX_STORED_BYTES, storedSize, storedTextSize } from './size.ts';

/** The rules of Go's encoding/json (HTMLEscape on), implemented again by replacement. */
function goJson(text: string): string {
  return JSON.stringify(text)
    .replace(/[<>&\u2028\u2029]/g, '\\u0000')
    .replace(/\\[bf]/g, '\\u0000');
}

describe('the stored size', () => {
  it('of a text is the size of the literal that Go writes', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom('<', '>', '&', '"', '\\', '\n', '\u2028', '\u2029', '\u0001', '\b', 'é', '🔐'),
      }),
    );
    const check = (text: string): void => {
      expect(storedTextSize(Buffer.from(text))).toBe(Buffer.byteLength(goJson(text)));
    };
    fc.assert(fc.property(text, check), { numRuns: 2_000 });
  });

  it('of a document is the size of its JSON, with base64 values as base64', () => {
    const fields = fc.dictionary(fc.string({ unit: 'binary' }), fc.uint8Array(), { noNullPrototype: true });
    const check = (bytes: Record<string, Uint8Array>): void => {
      const values = new Map(
        Object.entries(bytes).map(([name, value]) => [name, SecretValue.fromBytes(value)]),
      );
      const members = Object.entries(bytes).map(
        ([name, value]) => `${goJson(name)}:"${Buffer.from(value).toString('base64')}"`,
      );
      const exact = Buffer.byteLength(`{${members.join(',')}}`);
      const estimated = storedSize(values, () => true);
      expect(estimated).toBeGreaterThanOrEqual(exact);
      expect(estimated - exact).toBeLessThanOrEqual(1);
    };
    fc.assert(fc.property(fields, check), { numRuns: 500 });
  });

  it('is known to be allowed without counting only where no bytes of these lengths exceed the limit', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 5 });
    const check = (sizes: readonly number[]): void => {
      const fields = new Map(
        sizes.map((size, index) => [`<${index}`, SecretValue.fromUtf8('<'.repeat(size))]),
      );
      if (isCertainlyStorable(fields))
        expect(storedSize(fields, () => false)).toBeLessThanOrEqual(MAX_STORED_BYTES);
    };
    fc.assert(fc.property(lengths, check), { numRuns: 200 });
    expect(isCertainlyStorable(new Map([['k', SecretValue.fromUtf8('v'.repeat(1000))]]))).toBe(true);
    expect(
      isCertainlyStorable(new Map([['k', SecretValue.fromUtf8('v'.repeat(MAX_STORED_BYTES / 6))]])),
    ).toBe(false);
  });
});
