import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileJoinedKeys } from '#src/core/mapping/joined-keys.ts';
import { MAX_ROW_IDENTITY, MAX_ROW_VERSION } from '#src/api/v1alpha1/status-row.ts';
import { sameVersion } from '#src/core/document.ts';
import { recordedVersion } from '#src/core/outcome.ts';
import type { ListedVersion } from '../listing.ts';
import { MemoryDriver } from '../memory/driver.ts';
import type { Call } from '../memory/hooks.ts';
import { MemoryStore } from '../memory/store.ts';
import { joined } from './join.ts';
import { joinedVersion } from './joined-version.ts';
import { namesChangedBy } from './shaped.ts';
import { split } from './split.ts';
import { collect } from '#test/support/collect.ts';
import { codeOf, presentIn } from '#test/support/documents.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { permitted } from '#test/support/permit.ts';

const { signal } = new AbortController();

function open(addressing: 'flat' | 'tree') {
  const clock = new ManualClock();
  const store = new MemoryStore({ name: 's', addressing, clock });
  const calls: Call[] = [];
  const driver = new MemoryDriver({ store, hooks: { before: (call) => void calls.push(call) } });
  return { clock, store, driver, calls };
}

function aJoin() {
  const { driver, ...rest } = open('tree');
  return { ...rest, view: joined(driver, compileJoinedKeys()) };
}

function aSplit() {
  const { driver, ...rest } = open('flat');
  return { ...rest, view: split(driver, { key: 'value', leftOut: () => undefined }) };
}

const tokensOf = (all: readonly ListedVersion[]): Record<string, string> =>
  Object.fromEntries(
    all.map((each) => [each.address, 'version' in each ? each.version.revision : JSON.stringify(each)]),
  );

describe('the version of a joined document', () => {
  it('is another one after any change of a part, by a read and by a listing alike', async () => {
    const { store, view } = aJoin();
    const seen = new Set<string>();
    const step = async (): Promise<void> => {
      const { version } = presentIn(await view.read('ns/app', signal));
      const [told] = await collect(view.versions({ folder: 'ns' }, signal));
      expect(told).toEqual({ address: 'ns/app', state: 'present', version });
      expect(version.revision.length).toBeLessThanOrEqual(MAX_ROW_VERSION);
      expect(version.identity.length).toBeLessThanOrEqual(MAX_ROW_IDENTITY);
      expect(seen.has(version.revision)).toBe(false);
      seen.add(version.revision);
    };
    store.put('ns/app/a', { k: 'v' });
    await step();
    store.put('ns/app/b', { k: 'v' });
    await step();
    store.put('ns/app/a', { k: 'v' });
    await step();
    store.purge('ns/app/b');
    await step();
    store.purge('ns/app/a');
    store.put('ns/app/a', { k: 'v' });
    await step();
    store.put('ns/app/eu/a', { k: 'v' });
    const [still] = await collect(view.versions({ folder: 'ns' }, signal));
    expect(still).toMatchObject({ version: presentIn(await view.read('ns/app', signal)).version });
  });

  it('is known by a read alone where a part has none, or only some parts are deleted', async () => {
    const { store, view } = aJoin();
    store.put('ns/app/a', { k: 'v' });
    store.put('ns/app/b', { k: 'v' });
    store.remove('ns/app/b');
    expect(await collect(view.versions({ folder: 'ns' }, signal))).toEqual([
      { address: 'ns/app', state: 'unknown' },
    ]);
    expect(await codeOf(view.read('ns/app', signal))).toBe('PARTS_REFUSED');
    store.remove('ns/app/a');
    const [told] = await collect(view.versions({ folder: 'ns' }, signal));
    expect(told).toMatchObject({ state: 'deleted' });
    expect(await view.read('ns/app', signal)).toEqual({ ...told, address: undefined });
  });

  it('is read only while it is the current one', async () => {
    const { store, view } = aJoin();
    store.put('ns/app/a', { k: 'old' });
    const { version } = presentIn(await view.read('ns/app', signal));
    expect(presentIn(await view.read('ns/app', signal, version.revision)).version).toEqual(version);
    store.put('ns/app/a', { k: 'new' });
    expect(await view.read('ns/app', signal, version.revision)).toEqual({ state: 'absent' });
  });

  it('does not depend on the order of the parts, and differs for different parts', () => {
    const part = fc.tuple(fc.string(), fc.string(), fc.string());
    const parts = fc.uniqueArray(part, { selector: ([name]) => name, maxLength: 4 });
    const texts = ([name, identity, revision]: readonly [string, string, string]) =>
      [name, { identity, revision }] as const;
    const sorted = (each: [string, string, string][]): string =>
      each
        .map((one) => JSON.stringify(one))
        .toSorted((one, other) => (one < other ? -1 : 1))
        .join();
    const check = (left: [string, string, string][], right: [string, string, string][]): void => {
      const isSame = sorted(left) === sorted(right);
      const [one, other] = [left, right].map((each) => joinedVersion(each.map(texts)));
      expect(one?.revision === other?.revision).toBe(isSame);
      expect(joinedVersion(left.toReversed().map(texts))).toEqual(one);
    };
    fc.assert(fc.property(parts, parts, check), { numRuns: 500 });
  });

  it('has no fingerprint of a value in the part of its version that is recorded', () => {
    const partWith = (identity: string) =>
      [['a', { identity, revision: 'unversioned', isEphemeral: true }] as const] as const;
    const [one, other] = [joinedVersion(partWith('hmac of one')), joinedVersion(partWith('hmac of another'))];
    expect(recordedVersion(one)).toEqual(recordedVersion(other));
    expect(sameVersion(one, other)).toBe(false);
  });
});

describe('a joined document', () => {
  it('has the custom metadata that all parts share, ends with the first of them, and has no type', async () => {
    const { store, view } = aJoin();
    const notes = (owner: string) =>
      new Map([
        ['team', 'payments'],
        ['owner', owner],
      ]);
    store.put('ns/app/a', { k: 'v' }, { metadata: notes('a'), type: 'x', expiresAt: '2999-01-02T00:00:00Z' });
    store.put('ns/app/b', { k: 'v' }, { metadata: notes('b'), type: 'x', expiresAt: '2999-01-01T00:00:00Z' });
    expect(presentIn(await view.read('ns/app', signal)).attributes).toEqual({
      metadata: new Map([['team', 'payments']]),
      expiresAt: '2999-01-01T00:00:00Z',
    });
  });

  it('keeps JSON values as they are', async () => {
    const { store, view } = aJoin();
    store.put('ns/app/a', { n: '12' }, {}, { jsonKeys: new Set(['n']) });
    expect(presentIn(await view.read('ns/app', signal)).fields.get('a.n')?.isJson).toBe(true);
  });

  it('is read with one listing, one read for each part, and one listing of versions', async () => {
    const { store, view, calls } = aJoin();
    for (const name of ['a', 'b', 'c']) store.put(`ns/app/${name}`, { k: 'v' });
    store.put('ns/app/eu/d', { k: 'v' });
    await view.read('ns/app', signal);
    expect(calls.map(({ operation, address }) => `${operation} ${address}`)).toEqual([
      'list ns/app',
      'read ns/app/a',
      'read ns/app/b',
      'read ns/app/c',
      'versions ns/app',
    ]);
  });

  it('has no place for a listing below a folder that the caller skips', async () => {
    const { store, view } = aJoin();
    for (const path of ['ns/app/a', 'ns/app/eu/a', 'ns/web/a']) store.put(path, { k: 'v' });
    const skips = (folder: string): boolean => folder === 'ns/app';
    const listed = await collect(view.list({ folder: 'ns', skips }, signal));
    expect(listed.map(({ address }) => address)).toEqual(['ns/app', 'ns/web']);
  });
});

describe('the versions of a split document', () => {
  it('are those of the whole, and its keys are read again only if that changed', async () => {
    const { store, view, calls } = aSplit();
    store.put('app', { a: '1', b: '2' });
    store.put('web', { c: '3' });
    const before = tokensOf(await collect(view.versions({ folder: '' }, signal)));
    expect(Object.keys(before).toSorted()).toEqual(['app/a', 'app/b', 'web/c']);
    const { version } = presentIn(await view.read('app/a', signal));
    expect(before['app/a']).toBe(version.revision);
    calls.length = 0;
    expect(tokensOf(await collect(view.versions({ folder: '' }, signal)))).toEqual(before);
    expect(calls.filter(({ operation }) => operation === 'read')).toEqual([]);
    store.put('app', { b: '2', d: '4' });
    const after = tokensOf(await collect(view.versions({ folder: '' }, signal)));
    expect(Object.keys(after).toSorted()).toEqual(['app/b', 'app/d', 'web/c']);
    expect(after['app/b']).not.toBe(before['app/b']);
    expect(after['web/c']).toBe(before['web/c']);
  });

  it('are told of one whole, whose change can change all keys that it has and had', async () => {
    const { store, view, calls } = aSplit();
    store.put('app', { a: '1', b: '2' });
    store.put('web', { c: '3' });
    expect((await collect(view.versions({ folder: 'app' }, signal))).map(({ address }) => address)).toEqual([
      'app/a',
      'app/b',
    ]);
    expect(calls.map(({ operation, address }) => `${operation} ${address}`)).toEqual(['read app']);
    const seen = { source: view, known: ['app/b', 'app/old', 'apple/a', 'web/c'], signal };
    expect(await namesChangedBy('app', { split: {} }, seen)).toEqual(new Set(['app/b', 'app/old', 'app/a']));
    expect(await namesChangedBy('gone', { split: {} }, seen)).toEqual(new Set());
    expect(await namesChangedBy('app', { join: {} }, seen)).toEqual(new Set(['app']));
  });

  it('say of a key that no path can have that it is a problem, by an address that can be shown', async () => {
    const { store, view } = aSplit();
    store.put('app', { a: '1', '..': '2', 'x//y': '3' });
    const listed = await collect(view.list({ folder: '' }, signal));
    const problems = listed.flatMap((each) => ('problem' in each ? [each.address] : []));
    expect(problems).toEqual(['app/..', 'app/x//y']);
    expect(listed.length).toBe(3);
  });
});

it('changes nothing in either view: there is no write, no removal, no backup and no claim', async () => {
  for (const { store, view } of [aJoin(), aSplit()]) {
    const version = { identity: 'i', revision: '1' };
    const write = { address: 'a/b', fields: new Map(), attributes: {} };
    expect(await codeOf(view.write(write, 'absent', permitted(signal)))).toBe('INVARIANT');
    expect(await codeOf(view.delete('a/b', version, permitted(signal)))).toBe('INVARIANT');
    expect([view.backups, view.claims, view.projections]).toEqual([undefined, undefined, undefined]);
    expect(store.addresses()).toEqual([]);
  }
});
