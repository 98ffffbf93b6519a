import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { escapedName } from './printable.ts';

const name = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('\\', 'u', '{', '7', '}', '\u0007') }),
);

it('a printable name has no character that a terminal obeys, and is another one for another name', () => {
  fc.assert(
    fc.property(name, name, (left, right) => {
      expect(escapedName(left)).toMatch(/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u);
      expect(escapedName(left) === escapedName(right)).toBe(left === right);
    }),
  );
});

it.each([
  ['team/app', 'team/app'],
  ['Grüße 世界', 'Grüße 世界'],
  ['a\u001B[31m', 'a\\u{1b}[31m'],
  ['a\u202Eb', 'a\\u{202e}b'],
  ['a\uD800b', 'a\\u{d800}b'],
  ['a\\b', 'a\\u{5c}b'],
])('%j is shown as %j', (given, shown) => {
  expect(escapedName(given)).toBe(shown);
});
