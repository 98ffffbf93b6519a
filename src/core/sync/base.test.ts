import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordedVersion, type RecordedVersion, type Base } from '../outcome.ts';
import type { Reflected, Version } from '../document.ts';
import { baseFrom, isRecorded } from './base.ts';
import type { Found, Observed } from './observed.ts';
import { decideSync, type SyncStep } from './three-way.ts';

const secret = (revision: string): RecordedVersion => ({ version: revision, identity: 'uid' });
const kv = (revision: string): RecordedVersion => ({ version: revision, identity: `at ${revision}` });
const ROW: Base = { source: secret('10'), destination: kv('5') };

function reflecting(revision: string, replaced?: string): Reflected {
  const version: Version = { identity: `at ${revision}`, revision };
  return replaced === undefined ? { version } : { version, replaced };
}

describe('the base', () => {
  it('is what the row says, where the document says nothing', () => {
    expect(baseFrom(ROW, 'source', undefined)).toBe(ROW);
    expect(baseFrom(undefined, 'source', undefined)).toBeUndefined();
  });

  it('is what the document says of itself, where the row was lost', () => {
    expect(baseFrom(undefined, 'source', reflecting('6', '10'))).toEqual({ destination: kv('6') });
    expect(baseFrom(undefined, 'destination', reflecting('6'))).toEqual({ source: kv('6') });
  });

  it('is what the document says where its write followed on the row and was not recorded', () => {
    expect(baseFrom(ROW, 'source', reflecting('6', '10'))).toEqual({ destination: kv('6') });
  });

  it('is what the row says where another writer put an old document back', () => {
    expect(baseFrom(ROW, 'source', reflecting('4', '8'))).toBe(ROW);
    expect(baseFrom(ROW, 'source', reflecting('4'))).toBe(ROW);
  });
});

describe('a recorded version', () => {
  const version = fc.record({ identity: fc.string(), revision: fc.string() });

  it('is that very version, and no other one', () => {
    fc.assert(
      fc.property(version, version, (one, other) => {
        expect(isRecorded(recordedVersion(one), one)).toBe(true);
        const isSame = one.identity === other.identity && one.revision === other.revision;
        expect(isRecorded(recordedVersion(one), other)).toBe(isSame);
      }),
    );
  });

  it('whose identity is not valid after a restart is never a version that was read', () => {
    fc.assert(
      fc.property(version, (one) => {
        expect(isRecorded(recordedVersion({ ...one, isEphemeral: true }), one)).toBe(false);
        expect(isRecorded(undefined, one)).toBe(false);
      }),
    );
  });
});

describe('a lost status', () => {
  const found = (identity: string, revision: string): Found => ({
    state: 'present',
    version: { identity, revision },
    isMarked: true,
    keepsHistory: true,
  });

  /** A Secret that follows OpenBao says that it was written from version 6. */
  function decide(destination: string, more: Pick<Observed, 'areEqual' | 'baseBytes'>): SyncStep {
    const base = baseFrom(undefined, 'source', reflecting('6', '10'));
    const sides = { source: found('uid', '11'), destination: found(`at ${destination}`, destination) };
    const policy = { authority: 'Destination', conflictPolicy: 'Fail', prune: false } as const;
    return decideSync(policy, { base, sides, ...more });
  }

  it('costs nothing while neither side changed', () => {
    expect(decide('6', { areEqual: true })).toMatchObject({ kind: 'moveBase' });
  });

  it('does not hide that only the Secret changed', () => {
    expect(decide('6', { areEqual: false })).toMatchObject({ kind: 'conflict', reason: 'SourceEdited' });
  });

  it('does not hide that only OpenBao changed, as its history tells', () => {
    const baseBytes = { source: true, destination: false };
    expect(decide('7', { areEqual: false, baseBytes })).toMatchObject({ kind: 'write', to: 'source' });
    expect(decide('7', { areEqual: false })).toMatchObject({ kind: 'conflict', reason: 'BaseUnknown' });
  });
});
