import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aDocument, codeOf, presentIn } from '#test/support/documents.ts';
import { describeDriver } from '#test/conformance/driver-suite.ts';
import type { TestStore } from '#test/conformance/suite/subject.ts';
import { collect } from '#test/support/collect.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryDriver } from './driver.ts';
import { MemoryFactory } from './factory.ts';
import { all, always, failsWith, losesReply, once, type Call, type Operation } from './hooks.ts';
import { MAX_DOCUMENT_BYTES } from './refusals.ts';
import { MemoryStore } from './store.ts';
import { permitted } from '#test/support/permit.ts';

const { signal } = new AbortController();
const EVERY_OPERATION: readonly Operation[] = [
  'probe',
  'list',
  'versions',
  'read',
  'write',
  'delete',
  'denied',
];

async function openTestStore(addressing: 'flat' | 'tree'): Promise<TestStore> {
  const store = new MemoryStore({ name: addressing, addressing, clock: new ManualClock() });
  const calls: Call[] = [];
  const gone = all(
    ...EVERY_OPERATION.map((operation) => always(operation, failsWith('BACKEND_UNREACHABLE'))),
  );
  return Promise.resolve({
    driver: new MemoryDriver({ store, hooks: { before: (call) => void calls.push(call) } }),
    denied: new MemoryDriver({ store, mayNot: () => true }),
    unreachable: new MemoryDriver({ store, hooks: { before: gone } }),
    traffic: async (during) => {
      const before = calls.length;
      await during();
      return calls.slice(before);
    },
    recreate: async (address, field, text) => {
      store.purge(address);
      store.put(address, { [field]: text });
      return Promise.resolve();
    },
    createIllegal: async () => {
      store.put('illegal\n', { a: 'b' });
      return Promise.resolve(['illegal\\u{a}']);
    },
    [Symbol.asyncDispose]: async () => Promise.resolve(),
  });
}

const hostile = ['', '.', '..', '/a', 'a/', 'a//b', 'a/../b', 'a\tb', 'a\nb', 'a\0b', 'a\u00A0b', 'a\uD800b'];
const subject = {
  manyNames: 620,
  largeTextBytes: MAX_DOCUMENT_BYTES,
  tooLargeBytes: MAX_DOCUMENT_BYTES + 1,
  fieldName: fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom('__proto__', 'constructor', '世界')),
};

describeDriver({
  undoesWrites: true,
  ...subject,
  kind: 'flat memory',
  keepsReflected: true,
  open: async () => openTestStore('flat'),
  hostileAddresses: [...hostile, 'a/b', 'a.migrated-bak'],
});
describeDriver({
  undoesWrites: true,
  ...subject,
  kind: 'tree memory',
  listsDeleted: true,
  open: async () => openTestStore('tree'),
  hostileAddresses: hostile,
});

function open(addressing: 'flat' | 'tree', hooks = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore({ name: 's', addressing, clock });
  return { clock, store, driver: new MemoryDriver({ store, hooks }) };
}

describe('a memory store that keeps revisions', () => {
  it('reads exactly the requested revision', async () => {
    const { store, driver } = open('tree');
    const first = store.put('a/b', { k: 'old' });
    store.put('a/b', { k: 'new' });
    const old = presentIn(await driver.read('a/b', signal, first.revision));
    expect(old.fields.get('k')?.reveal().toString()).toBe('old');
    expect(await driver.read('a/b', signal, '3')).toEqual({ state: 'absent' });
  });

  it('hides an expired version, and reports that it expired', async () => {
    const { clock, store, driver } = open('tree');
    const version = store.put('a', { k: 'v' }, { expiresAt: new Date(clock.now() + 1_000).toISOString() });
    expect((await driver.read('a', signal)).state).toBe('present');
    clock.jump(1_000);
    expect(await driver.read('a', signal)).toEqual({ state: 'deleted', version, expired: true });
    const late = aDocument('b', { k: 'v' }, { expiresAt: new Date(clock.now()).toISOString() });
    expect(await codeOf(driver.write(late, 'absent', permitted(signal)))).toBe('EXPIRED');
  });

  it('finishes a write without a new version', async () => {
    const { store, driver } = open('tree');
    const version = store.put('a', { k: 'v' }, {}, { isUnfinished: true });
    expect(presentIn(await driver.read('a', signal)).unfinished).toBe(true);
    await driver.finish(aDocument('a', { k: 'v' }), version, permitted(signal));
    expect(presentIn(await driver.read('a', signal))).toMatchObject({ version });
    expect(presentIn(await driver.read('a', signal)).unfinished).toBeUndefined();
  });

  it('lists the names below a folder, without skipped folders', async () => {
    const { store, driver } = open('tree');
    for (const path of ['a/x', 'a/no/y', 'a/yes/z', 'ab/x', 'b']) store.put(path, {});
    const query = { folder: 'a', skips: (folder: string) => folder === 'a/no' };
    const entries = await collect(driver.list(query, signal));
    expect(entries.map(({ address }) => address)).toEqual(['a/x', 'a/yes/z']);
  });
});

describe('a flat memory store', () => {
  it.each([
    ['team=web', ['a']],
    ['team!=web', ['b', 'c']],
    ['team', ['a', 'b']],
    ['!team', ['c']],
    ['team, tier=1', ['b']],
    ['team in (web,db)', ['a']],
    ['team notin (web), !other', ['b', 'c']],
  ])('lists by the selector %s', async (labelSelector, names) => {
    const { store, driver } = open('flat');
    store.put('a', {}, { metadata: new Map([['team', 'web']]) });
    store.put(
      'b',
      {},
      {
        metadata: new Map([
          ['team', 'api'],
          ['tier', '1'],
        ]),
      },
    );
    store.put('c', {});
    const entries = await collect(driver.list({ folder: '', labelSelector }, signal));
    expect(entries.map(({ address }) => address)).toEqual(names);
  });

  it('keeps one backup, which no listing shows, and discards it', async () => {
    const { store, driver } = open('flat');
    const backup = await driver.backups!.retire('a', store.put('a', { k: 'v' }), permitted(signal));
    expect([await driver.read('a', signal), store.backupTextAt(backup)]).toEqual([
      { state: 'absent' },
      { k: 'v' },
    ]);
    expect(await collect(driver.list({ folder: '' }, signal))).toEqual([]);
    expect(await codeOf(driver.backups!.retire('a', store.put('a', { k: 'other' }), permitted(signal)))).toBe(
      'ALREADY_EXISTS',
    );
    await driver.backups!.retire('a', store.put('a', { k: 'v' }), permitted(signal));
    expect(await driver.backups!.has('a', signal)).toBe(true);
    await driver.backups!.discard(backup, permitted(signal));
    expect(await driver.backups!.has('a', signal)).toBe(false);
    expect(await codeOf(driver.backups!.discard('a', permitted(signal)))).toBe('DOCUMENT_REFUSED');
  });

  it('marks a projection once, as a new version with the same bytes', async () => {
    const { store, driver } = open('flat');
    await driver.projections!.mark('a', store.put('a', { k: 'v' }), 'there', permitted(signal));
    const { version, origin } = store.currentAt('a')!;
    await driver.projections!.mark('a', version, 'there', permitted(signal));
    expect([origin, store.currentAt('a')?.version, store.textAt('a')]).toEqual([
      'there',
      version,
      { k: 'v' },
    ]);
  });
});

describe('a fault hook', () => {
  it('before a write makes it fail with nothing done, and after a write loses its reply', async () => {
    const failing = open('tree', { before: once('write', failsWith('SERVER_ERROR')) });
    const write = failing.driver.write(aDocument('a', { k: 'v' }), 'absent', permitted(signal));
    await expect(write).rejects.toMatchObject({ code: 'SERVER_ERROR', indeterminate: false });
    expect(failing.store.textAt('a')).toBeUndefined();
    const losing = open('tree', { after: once('write', losesReply) });
    const lost = losing.driver.write(aDocument('a', { k: 'v' }), 'absent', permitted(signal));
    await expect(lost).rejects.toMatchObject({ indeterminate: true });
    expect(losing.store.textAt('a')).toEqual({ k: 'v' });
  });
});

it('makes one flat store per namespace, or one tree store for all', () => {
  const clock = new ManualClock();
  const definition = {
    title: 'B',
    spec: { type: 'kubernetes' as const },
    backend: { kind: 'SecretBackend', namespace: 'n', name: 'b' },
    credentialsNamespace: 'c',
  };
  const flat = new MemoryFactory({ clock, addressing: 'flat' });
  flat.create({ ...definition, tenant: 'one' });
  expect(flat.storeOf('B one')).not.toBe(flat.storeOf('B two'));
  const tree = new MemoryFactory({ clock });
  tree.create({ ...definition, tenant: 'one' });
  expect(tree.storeOf('B').traits).toMatchObject({ addressing: 'tree', keepsRevisions: true });
});
