import { describe, expect, it } from 'vitest';
import { originIn, withOrigin } from './origin.ts';
import type { DestinationRecord, Outcome, PriorRecord } from './outcome.ts';

const OURS = { path: 'p', version: '1', identity: 'i' };

function row(destination: DestinationRecord, more: Partial<PriorRecord> = {}): PriorRecord {
  return { name: 'a', keys: ['k'], state: 'Verified', destination, since: 0, ...more };
}

function afterwards(
  destination: DestinationRecord,
  prior: PriorRecord,
  more: Partial<Outcome> = {},
): DestinationRecord | undefined {
  return withOrigin({ name: 'a', keys: ['k'], state: 'Verified', destination, ...more }, prior).destination;
}

describe('what a row tells of the time before the migration', () => {
  it.each<[string, PriorRecord, DestinationRecord, Partial<Outcome>, object]>([
    ['stays with the same copy', row({ ...OURS, created: true }), OURS, {}, { created: true }],
    [
      'stays through a conflict',
      row({ ...OURS, created: true }),
      { path: 'p' },
      { state: 'Conflict' },
      { created: true },
    ],
    [
      'returns with the copy after a failure',
      row(
        { path: 'p', created: true },
        { state: 'Failed', base: { destination: { version: '1', identity: 'i' } } },
      ),
      OURS,
      {},
      { created: true },
    ],
    [
      'is not of a copy that another writer made',
      row({ ...OURS, created: true }),
      { ...OURS, version: '2' },
      {},
      {},
    ],
    ['is not of another path', row({ ...OURS, created: true }), { ...OURS, path: 'q' }, {}, {}],
    [
      'ends when the migration is taken back',
      row({ ...OURS, created: true }),
      OURS,
      { state: 'Skipped', reason: 'Undone' },
      {},
    ],
    [
      'stays when the migration overwrites its own copy',
      row({ ...OURS, created: true }),
      { path: 'p', version: '2', identity: 'i', priorVersion: '1' },
      { copiedNow: true },
      { created: true },
    ],
    [
      'is the version before the first overwrite',
      row({ ...OURS, version: '2', priorVersion: '1' }),
      { path: 'p', version: '3', identity: 'i', priorVersion: '2' },
      { copiedNow: true },
      { originalVersion: '1' },
    ],
    [
      'is the version of another writer that was overwritten',
      row({ ...OURS, created: true }),
      { path: 'p', version: '3', identity: 'i', priorVersion: '2' },
      { copiedNow: true },
      {},
    ],
    [
      'is the document that was there, once that is overwritten',
      row({ ...OURS, created: false }),
      { path: 'p', version: '2', identity: 'i', priorVersion: '1' },
      { copiedNow: true },
      {},
    ],
    [
      'stays in mode Sync with a copy that follows its source',
      row({ ...OURS, created: true }),
      { ...OURS, version: '2' },
      { reason: 'FollowedSource', copiedNow: true },
      { created: true },
    ],
  ])('%s', (...[, prior, destination, outcome, told]) => {
    expect(afterwards(destination, prior, outcome)).toEqual({ ...destination, ...told });
  });

  it('is nothing where only a dry run named a version', () => {
    expect(originIn(row({ path: 'p', priorVersion: '1' }, { reason: 'WouldOverwrite' }))).toBeUndefined();
    expect(originIn(row({ path: 'p', priorVersion: '1' }))).toEqual({ originalVersion: '1' });
  });
});
