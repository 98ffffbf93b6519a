import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileKeyNames } from './key-names.ts';
import { compileOldKeys } from './old-keys.ts';

const TABLE = [
  { from: 'tls.crt', to: 'certificate' },
  { from: 'token_{user}', to: '{user}.token' },
];

function restored(known: readonly string[], ...names: string[]): string[] {
  const fields = new Map(names.map((name) => [name, name]));
  return [...compileOldKeys(TABLE).restore(fields, new Set(known)).keys()];
}

describe('the way back of mapping.keys', () => {
  it('gives each key the name that the rules come from', () => {
    expect(restored([], 'certificate', 'bob.token', 'other')).toEqual(['tls.crt', 'token_bob', 'other']);
  });

  it('prefers the name that the source has', () => {
    expect(restored(['certificate'], 'certificate')).toEqual(['certificate']);
    expect(restored(['tls.crt'], 'certificate')).toEqual(['tls.crt']);
  });

  it('refuses a key that no key of the source can become', () => {
    expect(() => restored([], 'tls.crt')).toThrow(expect.objectContaining({ code: 'KEYS_COLLIDE' }));
  });

  it('is always the inverse of the renaming, or is refused', () => {
    const name = fc.stringMatching(/^(tls\.crt|certificate|token_[ab]|[ab]\.token|x)$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 4 }),
        fc.array(name, { maxLength: 4 }),
        (names, known) => {
          const fields = new Map(names.map((each) => [each, each]));
          let back: ReadonlyMap<string, string>;
          try {
            back = compileOldKeys(TABLE).restore(fields, new Set(known));
          } catch (failure) {
            expect(failure).toMatchObject({ code: 'KEYS_COLLIDE' });
            return;
          }
          expect(new Map(compileKeyNames(TABLE).rename(back))).toEqual(fields);
        },
      ),
    );
  });

  it.each([
    { from: 'a_{x}', to: 'b' },
    { from: 'a', to: 'b', decode: 'base64' as const },
  ])('refuses a rule that loses something: $from to $to', (rule) => {
    expect(() => compileOldKeys([rule])).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID', target: 'spec.mapping.keys[0]' }),
    );
  });
});
