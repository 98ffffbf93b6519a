import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretValue } from '#src/core/secret-value.ts';
import { hasRoundedNumber, levelsRefusalOf, MAX_JSON_LEVELS, roundingRefusalOf } from './json-values.ts';
import { countRefusalOf, storedSize } from './size.ts';

const fields = (text: string): ReadonlyMap<string, SecretValue> =>
  new Map([['replicas', SecretValue.fromJson(text)]]);
const isRounded = (text: string): boolean => hasRoundedNumber(SecretValue.fromJson(text));

describe('a number that KV version 2 rounds', () => {
  it.each([
    '12345678901234567890',
    '12345678901234567000',
    '9007199254740993',
    '-9007199254740992',
    '1e400',
    '1e20',
    '1e-400',
    '3.14159265358979323846',
    '{"a":[1,{"b":1e400}]}',
  ])('is found: %s', (text) => expect(isRounded(text)).toBe(true));

  it.each([
    '0',
    '-0',
    '-0.0',
    '1.10',
    '1E5',
    '9007199254740991',
    '3.141592653589793',
    '1e-7',
    '"1e400"',
    '{"1e400":null}',
  ])('is not one that it returns as the same number: %s', (text) => expect(isRounded(text)).toBe(false));

  it('is never one that a program wrote from a double or a safe integer', () => {
    const safe = fc.oneof(
      fc.double({ noNaN: true, min: -(2 ** 53 - 1), max: 2 ** 53 - 1 }),
      fc.maxSafeInteger(),
    );
    const check = (number: number): void => {
      expect(isRounded(JSON.stringify(number))).toBe(false);
    };
    fc.assert(fc.property(safe, check));
  });

  it('is refused as a destination by the name of its key, without the number', () => {
    const refusal = roundingRefusalOf(fields('[12345678901234567890]'));
    expect(refusal).toMatchObject({
      reason: 'NotRepresentable',
      message: expect.stringContaining('"replicas"'),
    });
    expect(refusal?.message).not.toContain('1234');
    expect(roundingRefusalOf(fields('[1]'))).toBeUndefined();
  });
});

describe('the limits of a JSON value', () => {
  it('are the levels of a reply', () => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    expect(levelsRefusalOf(fields(nested(MAX_JSON_LEVELS)))).toBeUndefined();
    expect(levelsRefusalOf(fields(nested(MAX_JSON_LEVELS + 1)))?.message).toContain('"replicas"');
  });

  it('count the strings in it, where the server counts strings', () => {
    const names = (count: number): string =>
      JSON.stringify(Array.from({ length: count }, (_, index) => `${index}`));
    expect(countRefusalOf(fields(names(995)), 498)).toBeUndefined();
    expect(countRefusalOf(fields(names(996)), 498)?.reason).toBe('TooManyKeys');
    expect(countRefusalOf(fields(names(996)), undefined)).toBeUndefined();
  });

  it('bound the bytes that the server stores, as Go writes them', () => {
    const text = fc.string({
      unit: fc.constantFrom('<', '&', '"', '\\', '\u2028', '\b', '\f', '\u0001', 'é', 'b'),
    });
    const check = (text: string, number: number): void => {
      const json = JSON.stringify({ [text]: [text, number] });
      const stored = json.replace(/\\.|[<>&\u2028\u2029]/g, (part) =>
        /^\\[^bf]/.test(part) ? part : '\\u0000',
      );
      const size = storedSize(new Map([['k', SecretValue.fromJson(json)]]), () => true);
      expect(size).toBeGreaterThanOrEqual(Buffer.byteLength(`{"k":${stored}}`));
      expect(size).toBeLessThanOrEqual(Buffer.byteLength(`{"k":${stored}}`) + 1);
    };
    fc.assert(fc.property(text, fc.double({ noNaN: true, noDefaultInfinity: true }), check));
  });
});
