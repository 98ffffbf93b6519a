import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfBase64 } from './base64-text.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const alphabet = fc.constantFrom('base64' as const, 'base64url' as const);
const lineEnd = fc.constantFrom('\n', '\r\n');
const width = fc.constantFrom(4, 64, 76, 75, Number.POSITIVE_INFINITY);
const around = fc.stringMatching(/^[ \t\r\n]{0,4}$/);

function wrapped(text: string, width: number, end: string): string {
  const lines = [];
  for (let at = 0; at < text.length; at += width) lines.push(text.slice(at, at + width));
  return lines.join(end);
}

describe('text that is base64', () => {
  it('stands for its bytes, in both alphabets, with and without padding, in lines, with space around it', () => {
    const check = (
      value: Buffer,
      [encoding, isPadded]: readonly ['base64' | 'base64url', boolean],
      lines: readonly [number, string],
      [before, after]: readonly [string, string],
    ): void => {
      const digits = value.toString(encoding).replaceAll('=', '');
      const padding = isPadded ? '='.repeat((4 - (digits.length % 4)) % 4) : '';
      const text = `${before}${wrapped(`${digits}${padding}`, ...lines)}${after}`;
      expect(bytesOfBase64(text)).toEqual(value);
    };
    const form = fc.tuple(alphabet, fc.boolean());
    fc.assert(fc.property(bytes, form, fc.tuple(width, lineEnd), fc.tuple(around, around), check), {
      numRuns: 1_000,
    });
  });

  it('is nothing but one of its spellings: any other text is refused', () => {
    const unit = fc.constantFrom(
      'A',
      'Q',
      'z',
      '0',
      '+',
      '/',
      '-',
      '_',
      '=',
      '\n',
      '\r',
      ' ',
      '\t',
      'é',
      '.',
      '\0',
    );
    const check = (text: string): void => {
      const read = bytesOfBase64(text);
      if (read === undefined) return;
      const digits = text.replaceAll(/[ \t\r\n=]/g, '');
      const spellings = (['base64', 'base64url'] as const).map((form) => read.toString(form));
      expect(spellings.map((spelling) => spelling.replaceAll('=', ''))).toContain(digits);
    };
    fc.assert(fc.property(fc.string({ unit, maxLength: 12 }), check), { numRuns: 5_000 });
  });

  it.each([
    ['a mixture of both alphabets', 'ab+_'],
    ['padding that is incomplete', 'QQ='],
    ['padding that is not needed', 'TWFu='],
    ['padding in the middle: two texts', 'QQ==\nQQ=='],
    ['three characters of padding', 'Q==='],
    ['one character too many', 'TWFuR'],
    ['bits that belong to no byte', 'QR=='],
    ['a space inside', 'TWFu TWFu'],
    ['a line that is empty', 'TWFu\n\nTWFu'],
    ['a line that starts with a space', 'TWFu\n TWFu'],
    ['a carriage return alone', 'TWFu\rTWFu'],
    ['a PEM header', '-----BEGIN X-----\nTWFu\n-----END X-----'],
    ['a data URL', 'data:;base64,TWFu'],
    ['a space that is not ASCII', '\u00A0TWFu'],
    ['plain text', 'hunter2!'],
  ])('is not %s', (_what, text) => {
    expect(bytesOfBase64(text)).toBeUndefined();
  });

  it.each(['', ' ', '\r\n'])('can be empty: %j', (text) => {
    expect(bytesOfBase64(text)).toEqual(Buffer.alloc(0));
  });

  it('of 2 MiB in lines is read in less than a second', () => {
    const value = Buffer.alloc(1_500_000, 7);
    const text = wrapped(value.toString('base64'), 76, '\r\n');
    const start = performance.now();
    expect(bytesOfBase64(text)?.equals(value)).toBe(true);
    expect(bytesOfBase64(`A${' '.repeat(2_000_000)}!`)).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
