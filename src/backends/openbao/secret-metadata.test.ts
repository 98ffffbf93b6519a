import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSecretEntry, secretEntriesOf, secretMetadataIn } from './secret-metadata.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 700 }).filter((text) => text.isWellFormed()),
  fc.constantFrom('', 'a\nb', '\u0000', '\u00A0', '{"json":"text"}', 'ä'.repeat(600)),
);
const anyKey = fc.string({ minLength: 1, maxLength: 317 }).filter((name) => name !== '__proto__');
const pairs = fc.array(fc.tuple(anyKey, anyText), { minLength: 1, maxLength: 5 }).map((all) => new Map(all));
const metadata = fc.record({ labels: pairs, annotations: pairs }, { requiredKeys: [] });

function entriesFor(stored: Parameters<typeof secretEntriesOf>[0]): Map<string, string> {
  return new Map(Object.entries(secretEntriesOf(stored)));
}

describe('labels and annotations in custom metadata', () => {
  it('come back as they are, among the entries of others', () => {
    const check = (stored: Parameters<typeof secretEntriesOf>[0]): void => {
      const found = secretMetadataIn(new Map([['owner', 'them'], ...entriesFor(stored)]), 'a');
      expect(found).toEqual(stored);
    };
    fc.assert(fc.property(metadata, check), { numRuns: 500 });
  });

  it('are entries that every server takes: short printable ASCII, none of them empty', () => {
    const check = (stored: Parameters<typeof secretEntriesOf>[0]): void => {
      for (const [name, text] of entriesFor(stored)) {
        expect(isSecretEntry(name)).toBe(true);
        expect(name).toMatch(/^[a-z0-9-]{1,128}$/);
        expect(text).toMatch(/^[\x20-\x7e]{1,512}$/);
      }
    };
    fc.assert(fc.property(metadata, check), { numRuns: 500 });
  });

  it('cost no entry if there are none', () => {
    expect(secretEntriesOf({ labels: new Map(), annotations: new Map() })).toEqual({});
  });

  it('are the same entries in any order of the pairs', () => {
    const labels = new Map([
      ['b', '2'],
      ['a', '1'],
    ]);
    const reversed = new Map([...labels].toReversed());
    expect(secretEntriesOf({ labels })).toEqual(secretEntriesOf({ labels: reversed }));
  });

  it.each<[string, Record<string, string>]>([
    ['a part is missing', { 'keyferry-secret-2': '"}' }],
    ['the last part is missing', { 'keyferry-secret-1': '{"labels":{"a":"' }],
    ['it is another kind of JSON', { 'keyferry-secret-1': '{"labels":{"a":1}}' }],
    ['it has a member of another version', { 'keyferry-secret-1': '{"owners":{}}' }],
    ['the number is another form', { 'keyferry-secret-01': '{}' }],
  ])('are corrupt, not empty, when %s', (_why, entries) => {
    expect(() => secretMetadataIn(new Map(Object.entries(entries)), 'a')).toThrow(
      expect.objectContaining({ code: 'ENCODING_CORRUPT' }),
    );
  });
});
