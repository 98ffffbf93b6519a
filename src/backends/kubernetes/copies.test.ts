import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyNameOf } from './copies.ts';
import { fullNameRefusalOf, nameRefusalOf } from './refusals.ts';

const part = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,80}[a-z0-9])?$/);
const name = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) =>
  parts
    .join('.')
    .slice(0, 253)
    .replace(/[-.]+$/, ''),
);
const version = fc.record(
  { identity: fc.uuid(), revision: fc.oneof(fc.stringMatching(/^[1-9][0-9]{0,18}$/), fc.string()) },
  { noNullPrototype: true },
);

describe('the name of a kept copy', () => {
  it('is one that the API server takes and no migration reads, for any Secret', () => {
    fc.assert(
      fc.property(name, version, (address, of) => {
        const copy = copyNameOf(address, of);
        expect(fullNameRefusalOf(copy)).toBeUndefined();
        expect(nameRefusalOf(copy)?.message).toContain('.keyferry-bak-<version>');
        expect(copyNameOf(address, of)).toBe(copy);
      }),
    );
  });

  it('differs for two states of a Secret, and for two Secrets in the same state', () => {
    fc.assert(
      fc.property(name, version, version, (address, left, right) => {
        fc.pre(left.revision !== right.revision);
        expect(copyNameOf(address, left)).not.toBe(copyNameOf(address, right));
      }),
    );
    const of = { identity: 'i', revision: '4711' };
    const long = `${'a'.repeat(250)}.`;
    expect(copyNameOf(`${long}a`, of)).not.toBe(copyNameOf(`${long}b`, of));
    expect(copyNameOf('db', of)).toBe('db.keyferry-bak-4711');
  });
});
