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

  it('leaves the name where a rule only says what the value is written in', () => {
    const names = compileKeyNames([
      { from: 'cert_{id}', decode: 'base64' },
      { from: '{any}_key', to: 'key', decode: 'base64' },
      { from: 'cert_key', to: 'never' },
    ]);
    const fields = new Map(['cert_1', 'a_key', 'plain'].map((name) => [name, name]));
    expect([...names.rename(fields).keys()]).toEqual(['cert_1', 'key', 'plain']);
    expect([...fields.keys()].map((key) => names.isDecoded(key))).toEqual([true, true, false]);
  });

  it('refuses to map two keys to one', () => {
    expect(() => renamed([{ from: 'a', to: 'b' }], 'a', 'b')).toThrow(
      expect.objectContaining({ code: 'KEYS_COLLIDE' }),
    );
  });
});
