import { describe, expect, it } from 'vitest';
import { always, failsWith } from '#src/backends/memory/hooks.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import type { SyncPolicy } from '#src/core/sync/three-way.ts';
import { codeOf } from '#test/support/documents.ts';
import { SIDES } from '#test/support/sync-worlds.ts';
import { SyncPair } from '#test/support/sync-pair.ts';
import { recordedBase } from '#src/core/sync/base.ts';

const FOLLOWS_SOURCE: SyncPolicy = { authority: 'Source', conflictPolicy: 'Fail', prune: false };
const EITHER: SyncPolicy = { ...FOLLOWS_SOURCE, authority: 'Either' };

/** Both sides are proven equal with `first`. */
async function inStep(options: ConstructorParameters<typeof SyncPair>[0] = {}): Promise<SyncPair> {
  const pair = new SyncPair(options);
  pair.put('source', 'first');
  await pair.pass(FOLLOWS_SOURCE);
  expect(await pair.pass(FOLLOWS_SOURCE)).toEqual({ kind: 'nothing' });
  return pair;
}

describe('the history', () => {
  it('is not asked while one side is still in the version of the base', async () => {
    const pair = await inStep();
    pair.put('source', 'second');
    expect(await pair.pass(FOLLOWS_SOURCE)).toMatchObject({ kind: 'write', to: 'destination' });
    pair.put('destination', 'third');
    expect(await pair.pass(EITHER)).toMatchObject({ kind: 'write', to: 'source' });
    expect(pair.asked).toEqual([]);
  });

  it('is not asked where both sides moved and are equal', async () => {
    const pair = await inStep();
    for (const side of SIDES) pair.put(side, 'second');
    expect(await pair.pass(FOLLOWS_SOURCE)).toMatchObject({ kind: 'moveBase' });
    expect(pair.asked).toEqual([]);
  });

  it.each(SIDES)(
    'tells that another version with the bytes of the base is not a change, at the %s',
    async (side) => {
      const pair = await inStep();
      pair.put(side, 'first');
      pair.put(side === 'source' ? 'destination' : 'source', 'second');
      expect(await pair.pass(EITHER)).toMatchObject({ kind: 'write', to: side });
      expect(pair.asked).toEqual(['destination 1']);
      expect(SIDES.map((each) => pair.valueAt(each))).toEqual(['second', 'second']);
    },
  );

  it('tells that both changed', async () => {
    const pair = await inStep();
    for (const side of SIDES) pair.put(side, `by ${side}`);
    expect(await pair.pass(EITHER)).toMatchObject({ kind: 'conflict', reason: 'BothChanged' });
  });

  it('can be that of the source, whose keys have other names', async () => {
    const pair = await inStep({ keepsHistory: ['source'] });
    pair.put('source', 'second');
    pair.put('destination', 'first');
    expect(await pair.pass(FOLLOWS_SOURCE)).toMatchObject({ kind: 'write', to: 'destination' });
    expect(pair.asked).toEqual(['source 1']);
  });

  it.each<[string, (pair: SyncPair) => void]>([
    ['the version was pruned', (pair) => pair.keep('destination', 1)],
    ['the path was removed and made again', (pair) => pair.purge('destination')],
    ['the version was deleted', (pair) => pair.remove('destination')],
  ])('leaves the base unknown where %s', async (_why, act) => {
    const pair = await inStep();
    act(pair);
    pair.put('destination', 'first');
    pair.put('source', 'second');
    expect(await pair.pass(EITHER)).toMatchObject({ kind: 'conflict', reason: 'BaseUnknown' });
    expect(pair.valueAt('destination')).toBe('first');
  });

  it('leaves the base unknown where neither store keeps one, without a request', async () => {
    const pair = await inStep({ keepsHistory: [] });
    for (const side of SIDES) pair.put(side, `by ${side}`);
    expect(await pair.pass(EITHER)).toMatchObject({ kind: 'conflict', reason: 'BaseUnknown' });
    expect(pair.asked).toEqual([]);
  });

  it.each([
    ['ENCODING_CORRUPT', 'none'],
    ['BACKEND_UNREACHABLE', 'BACKEND_UNREACHABLE'],
    ['AUTH_DENIED', 'AUTH_DENIED'],
  ] as const)('that answers %s is a failure only if it could be read later: %s', async (code, expected) => {
    const pair = await inStep({
      before: always('read', ({ revision }) => {
        if (revision !== undefined) failsWith(code)();
      }),
    });
    for (const side of SIDES) pair.put(side, `by ${side}`);
    expect(await codeOf(pair.pass(EITHER))).toBe(expected);
  });
});

describe('a row', () => {
  const row: PriorRecord = {
    name: 'app',
    keys: ['key'],
    state: 'Verified',
    source: { version: '10', identity: 'uid' },
    destination: { path: 'ns/app', version: '5', identity: 'at 5', priorVersion: '4' },
    since: 0,
  };

  it('proves the versions that it names', () => {
    expect(recordedBase(row, 'ns/app')).toEqual({
      source: { version: '10', identity: 'uid' },
      destination: { version: '5', identity: 'at 5' },
    });
  });

  it('of another state proves nothing: its versions were read, not compared', () => {
    for (const state of ['Pending', 'Copied', 'Removed', 'Conflict', 'Failed', 'Skipped'] as const)
      expect(recordedBase({ ...row, state }, 'ns/app')).toBeUndefined();
    expect(recordedBase(undefined, 'ns/app')).toBeUndefined();
  });

  it('proves nothing of another path, and nothing of a source at its old path', () => {
    expect(recordedBase(row, 'elsewhere/app')).toBeUndefined();
    const old = { ...row, source: { version: '10', identity: 'uid', path: 'old/app' } };
    expect(recordedBase(old, 'ns/app')).toEqual({ destination: { version: '5', identity: 'at 5' } });
  });
});
