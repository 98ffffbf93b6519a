import { describe, expect, it } from 'vitest';
import { boundedText } from './bounded-text.ts';
import { compileKeyNames } from './mapping/key-names.ts';
import { withNewKeys } from './new-keys.ts';
import type { Outcome, PriorRecord } from './outcome.ts';

const NAMES = compileKeyNames([{ from: '{name}', to: 'NEW_{name}' }]);
const COPY = { name: 'db', keys: ['user'], state: 'Verified', destination: { path: 'ns/db' } } as const;

function newKeysOf(outcome: Outcome, prior?: Partial<PriorRecord>): readonly string[] | undefined {
  const record = prior === undefined ? undefined : { ...COPY, since: 0, ...prior };
  return withNewKeys(outcome, record, NAMES).newKeys;
}

describe('the names of keys at the destination', () => {
  it('are those of mapping.keys, and none if all keep theirs or there is no destination', () => {
    expect(newKeysOf(COPY)).toEqual(['NEW_user']);
    expect(withNewKeys(COPY, undefined, compileKeyNames([]))).not.toHaveProperty('newKeys');
    expect(newKeysOf({ name: 'db', keys: ['user'], state: 'Failed' })).toBeUndefined();
  });

  it('are those of now for a document that is there, and those of its move for one that was removed', () => {
    const before = { newKeys: ['OLD_user'] };
    expect(newKeysOf({ ...COPY, ...before }, before)).toEqual(['NEW_user']);
    const removed = { ...COPY, state: 'Removed' } as const;
    expect(newKeysOf(removed, { ...before, state: 'Removed' })).toEqual(['OLD_user']);
    expect(newKeysOf(removed, { state: 'Removed' })).toBeUndefined();
    expect(newKeysOf(removed, before)).toEqual(['NEW_user']);
  });

  it('are not made of a name that was cut', () => {
    const keys = [boundedText('k'.repeat(600), 512)];
    expect(newKeysOf({ ...COPY, keys }, { keys, newKeys: ['whole'] })).toEqual(['whole']);
    expect(newKeysOf({ ...COPY, keys }, { keys })).toBeUndefined();
  });
});
