import { describe, expect, it } from 'vitest';
import { compileKeyNames } from './key-names.ts';

function renamed(table: { from: string; to: string }[], ...names: string[]): string[] {
  return [
    ...compileKeyNames(table)
      .rename(new Map(names.map((name) => [name, name])))
      .keys(),
  ];
}

describe('mapping.keys', () => {
  it('renames keys that a rule names or matches, and leaves the others', () => {
    const table = [
      { from: 'tls.crt', to: 'certificate' },
      { from: 'token_{user}', to: '{user}.token' },
    ];
    expect(renamed(table, 'tls.crt', 'token_bob', 'other')).toEqual(['certificate', 'bob.token', 'other']);
  });

  it('refuses to map two keys to one', () => {
    expect(() => renamed([{ from: 'a', to: 'b' }], 'a', 'b')).toThrow(
      expect.objectContaining({ code: 'KEYS_COLLIDE' }),
    );
  });
});
