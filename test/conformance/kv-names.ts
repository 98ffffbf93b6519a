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
