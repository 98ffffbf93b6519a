import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedText } from '#src/core/bounded-text.ts';
import { escaped, escapedJson, isPrintable } from './printable.ts';
import { explain, shortened } from './explain.ts';
import { OperatorError } from '#src/errors.ts';

/** Escape, C1 escape, line end, right-to-left override, zero-width space and joiner, tag, half of a character. */
const HOSTILE = [
  '\u001b[2J',
  '\u009b31m',
  '\n',
  '\r',
  '\u202e',
  '\u200b',
  '\u200d',
  '\u{e0041}',
  '\ud800',
  '\0',
];
const text = fc.string({
  unit: fc.oneof(fc.constantFrom(...HOSTILE, 'a', 'ü', '世', '\\', '…'), fc.string()),
});

describe('a text of a server', () => {
  it('is printable in every part of a row, a condition and an event, whatever it has', () => {
    const check = (said: string, max: number): void => {
      expect(isPrintable(escaped(said))).toBe(true);
      expect(isPrintable(shortened(said, max))).toBe(true);
      expect(Buffer.byteLength(shortened(said, max))).toBeLessThanOrEqual(max);
      expect(isPrintable(boundedText(said, max))).toBe(true);
      expect(boundedText(said, max).length).toBeLessThanOrEqual(max);
      const error = new OperatorError('SERVER_ERROR', { op: 'openbao.read', target: said, detail: said });
      expect(isPrintable(shortened(explain(error, max + 200), max + 200))).toBe(true);
    };
    fc.assert(fc.property(text, fc.integer({ min: 32, max: 300 }), check));
  });

  it('stays another one than any other text, as the name of a key in a row', () => {
    const check = (one: string, other: string): void => {
      expect(boundedText(one, 64) === boundedText(other, 64)).toBe(one === other);
    };
    fc.assert(fc.property(text, text, check));
    check('\u001b', '\\u{1b}');
  });

  it('is the same in JSON, in printable characters', () => {
    const check = (said: string): void => {
      const json = escapedJson(JSON.stringify({ said }));
      expect(isPrintable(json)).toBe(true);
      expect(JSON.parse(json)).toEqual({ said });
    };
    fc.assert(fc.property(text, check));
  });
});
