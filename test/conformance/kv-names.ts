import * as fc from 'fast-check';

/** Names of keys in JSON: any text, and names with a special meaning to parsers and servers. */
export const kvFieldName: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'a,b',
    '*',
    'a@2',
    '',
    '0',
    'data',
    'options',
    'path',
    'ttl',
    'lease',
    'list',
    'max_ttl',
  ),
);

/** Paths that must not leave the process. */
export const HOSTILE_KV_PATHS: readonly string[] = [
  '',
  '.',
  '..',
  '../x',
  'a/../../sys/seal',
  'a//b',
  '/a',
  'a/',
  'a/./b',
  '%2e%2e/x',
  'a%2Fb',
  'a\\b',
  '..\\x',
  'a\tb',
  'a\nb',
  'a\0b',
  'a ',
  ' a',
  'a /b',
  'a?version=1',
  'a#b',
  'a.',
  'a./b',
  'a\u00A0b',
  'a\u202Eb',
  'a\uD800b',
  'x'.repeat(600),
  'x/'.repeat(20).concat('x'),
];

/**
 * Addresses below a prefix of two segments that a server accepts and no document can have, with the address of the problem
 * in a listing: a segment that ends in a period, a document one level too deep, and a folder that is too deep itself.
 */
export const ILLEGAL_KV_PATHS: ReadonlyMap<string, string> = new Map([
  ['ends.', 'ends.'],
  [`${levels(14)}/too-deep`, `${levels(14)}/too-deep`],
  [`${levels(15)}/below`, `${levels(15)}/`],
]);

/** A folder of this depth. */
export function levels(depth: number): string {
  return Array.from({ length: depth }, (_, index) => `level-${index + 1}`).join('/');
}
