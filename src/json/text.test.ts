import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText, numberText } from '#test/support/json-texts.ts';
import { parseJson } from './parse.ts';
import { comparableJson, compactJson, decimalOf, eachToken } from './text.ts';

function tokens(text: string): readonly string[] {
  const found: string[] = [];
  eachToken(text, (start, end) => found.push(text.slice(start, end)));
  return found;
}
const numbers = (text: string): readonly string[] => tokens(text).filter((token) => /^[-\d]/.test(token));

describe('compact JSON', () => {
  it('is the same value, with the same numbers in the same spelling and the same names in the same order', () => {
    const check = (text: string): void => {
      const compact = compactJson(text);
      expect(parseJson(compact)).toEqual(parseJson(text));
      expect(numbers(compact)).toEqual(numbers(text));
      expect(tokens(compact)).toHaveLength(tokens(text).length);
      expect(tokens(compact).join('')).toBe(compact);
      expect(compactJson(compact)).toBe(compact);
    };
    fc.assert(fc.property(jsonText, check), { numRuns: 1_000 });
  });

  it('has only the escapes that JSON requires', () => {
    expect(compactJson(String.raw`{ "\u003cb\u003e" : "\/ \u00e4 \u2028 \ud83d\ude00 \u0008 \ud800" }`)).toBe(
      `{"<b>":"/ ä \u2028 😀 \\b \\ud800"}`,
    );
  });

  it('takes time in proportion to the text', () => {
    const long = `[1${'0'.repeat(300_000)}1,"${'\\\\'.repeat(300_000)}"]`;
    const started = performance.now();
    comparableJson(long);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('the decimal of a number', () => {
  it.each([
    ['1.10', '1.1'],
    ['1.0', '1'],
    ['1E5', '100000'],
    ['1e+21', '1000000000000000000000'],
    ['0.000001', '1e-6'],
    ['0.0', '0e7'],
    ['-0.0', '-0'],
  ])('of %s is that of %s', (left, right) => expect(decimalOf(left)).toBe(decimalOf(right)));

  it.each([
    ['12345678901234567890', '12345678901234567000'],
    ['1e400', '1e401'],
    ['-0', '0'],
    ['0.1', '0.10000000000000000555'],
    ['1', '-1'],
    ['1e999999999999999999', '1e999999999999999998'],
  ])('of %s is not that of %s', (left, right) => expect(decimalOf(left)).not.toBe(decimalOf(right)));

  it('is equal for two numbers only if they are equal as fractions', () => {
    const check = (left: string, right: string): void => {
      const isSame = fractionOf(left) === fractionOf(right) && left.startsWith('-') === right.startsWith('-');
      expect(decimalOf(left) === decimalOf(right)).toBe(isSame);
    };
    fc.assert(fc.property(numberText, numberText, check), { numRuns: 1_000 });
    const respelled = (text: string, zeros: number): void =>
      check(text, /[.eE]/.test(text) ? text : `${text}.${'0'.repeat(zeros)}e0`);
    fc.assert(fc.property(numberText, fc.integer({ min: 1, max: 5 }), respelled));
  });
});

/** The number times 10^1100, which is whole for every number of the tests. */
function fractionOf(text: string): bigint {
  const [, mantissa = '', power = '0'] = /^(.*?)(?:[eE](.*))?$/.exec(text) ?? [];
  const [whole = '', fraction = ''] = mantissa.split('.');
  return BigInt(whole + fraction) * 10n ** BigInt(1_100 + Number(power) - fraction.length);
}
