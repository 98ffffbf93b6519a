import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupNameOf, isHidden, leftoverOf, nameRefusalOf, originalOf, transientName } from './names.ts';

/** Names of documents, including some that look like transient names. */
const name = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    fc.constantFrom(
      'a',
      'a.migrated.bak',
      'a.keyferry-aside-0123456789ab',
      'a.keyferry-0123456789ab',
      'a-b',
      'x'.repeat(220),
    ),
  )
  .filter((text) => nameRefusalOf(text) === undefined);
const id = fc.stringMatching(/^[0-9a-f]{12}$/);

describe('hidden names', () => {
  it('are never names of documents, fit into a file system, and name their document', () => {
    fc.assert(
      fc.property(name, id, fc.constantFrom('temporary', 'aside', 'trash'), (address, number, kind) => {
        const file = transientName(address, kind, number);
        expect(leftoverOf(file)).toEqual({ kind, address, file });
        expect(nameRefusalOf(file)).toBeDefined();
        expect(Buffer.byteLength(file)).toBeLessThanOrEqual(255);
      }),
    );
  });

  it('of backups are recognized as backups only', () => {
    fc.assert(
      fc.property(name, (address) => {
        const backup = backupNameOf(address);
        expect(originalOf(backup)).toBe(address);
        expect(leftoverOf(backup)).toBeUndefined();
        expect(isHidden(backup)).toBe(true);
        expect(Buffer.byteLength(backup)).toBeLessThanOrEqual(255);
      }),
    );
  });

  it('of kept documents are not leftovers', () => {
    fc.assert(
      fc.property(name, id, (address, number) => {
        const file = transientName(address, 'kept', number);
        expect(leftoverOf(file)).toBeUndefined();
        expect(isHidden(file)).toBe(true);
      }),
    );
  });

  it.each([
    '.vimrc',
    '.a.swp',
    '.keyferry-0123456789ab',
    '..keyferry-0123456789ab',
    '.a.keyferry-0123',
    '.a.keyferry-aside-0123456789AB',
  ])('of other programs are not recognized: %s', (file) => {
    expect(leftoverOf(file)).toBeUndefined();
    expect(originalOf(file)).toBeUndefined();
  });
});
