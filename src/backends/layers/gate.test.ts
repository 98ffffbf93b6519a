import { describe, expect, it } from 'vitest';
import type { Address, Document, Version } from '#src/core/document.ts';
import type { Addresses } from '../addresses.ts';
import type { BackupStore, ClaimStore, CopyStore, Driver, ProjectionStore, ReadOutcome } from '../driver.ts';
import type { Entry, ListedVersion } from '../listing.ts';
import { gate, type Gate } from './gate.ts';
import { permitted } from '#test/support/permit.ts';

const { signal } = new AbortController();
const version: Version = { identity: 'i', revision: '7' };
const REFUSAL = { reason: 'ReservedName', message: 'Not for you.' } as const;
const GATE: Gate = {
  code: 'NAME_RESERVED',
  refusalOf: (address) => (address.startsWith('sys_') ? REFUSAL : undefined),
};

function aDocument(address: Address): Document {
  return { address, fields: new Map(), attributes: {} };
}

async function* all<T>(...items: readonly T[]): AsyncGenerator<T> {
  yield* items;
  await Promise.resolve();
}

/** A driver with every operation, and the calls to it. */
class AnyDriver implements Driver {
  readonly serverTime = undefined;
  readonly asked: string[] = [];
  readonly kind = 'any';
  readonly traits = {
    addressing: 'tree',
    concurrency: 1,
    statesAttributes: false,
  } as const;
  readonly backups: BackupStore = {
    addressOf: (address) => `${address}.bak`,
    has: async (address) => Promise.resolve(this.#ask(`has ${address}`, true)),
    get: async (backup) => Promise.resolve(this.#ask(`get ${backup}`, undefined)),
    retire: async (address) => Promise.resolve(this.#ask(`retire ${address}`, `${address}.bak`)),
    discard: async (backup) => Promise.resolve(this.#ask(`discard ${backup}`, undefined)),
  };
  readonly copies: CopyStore = {
    keep: async (address) => Promise.resolve(this.#ask(`keep ${address}`, `${address}.copy`)),
    discardExpired: () => this.#ask('discardExpired', all()),
  };
  readonly projections: ProjectionStore = {
    mark: async (address) => Promise.resolve(this.#ask(`mark ${address}`, undefined)),
    unmark: async (address) => Promise.resolve(this.#ask(`unmark ${address}`, undefined)),
  };

  readonly claims: ClaimStore = {
    claim: async (address) => Promise.resolve(this.#ask(`claim ${address}`, version)),
    release: async () => Promise.resolve(this.#ask('release', undefined)),
  };

  #ask<T>(question: string, answer: T): T {
    this.asked.push(question);
    return answer;
  }

  probe = async () =>
    Promise.resolve(
      this.#ask('probe', { server: { product: 'p', version: '1' }, identity: 'i', capabilities: [] }),
    );
  list = (query: { readonly folder: Address }): AsyncGenerator<Entry> =>
    this.#ask(`list ${query.folder}`, all({ address: 'a' }, { address: 'sys_a' }, { address: 'b' }));
  versions = (query: { readonly folder: Address }): AsyncGenerator<ListedVersion> =>
    this.#ask(
      `versions ${query.folder}`,
      all(...['a', 'sys_a', 'b'].map((address) => ({ address, state: 'present', version }) as const)),
    );
  read = async (address: Address) =>
    Promise.resolve(this.#ask(`read ${address}`, { state: 'absent' } as const));
  readMany = (addresses: Addresses): AsyncGenerator<ReadOutcome> => {
    const found = [...addresses].map((address) => ({ address, result: { state: 'absent' } as const }));
    return this.#ask(`readMany ${found.map(({ address }) => address).join(' ')}`, all(...found));
  };
  isLeaving = async () => Promise.resolve(this.#ask('isLeaving', false));
  refusalOf = () => undefined;
  addressRefusalOf = () => undefined;
  locationOf = (path: Address) => ({ store: 's', path });
  denied = async (needs: Iterable<{ readonly address: Address }>) =>
    Promise.resolve(this.#ask(`denied ${[...needs].map(({ address }) => address).join(' ')}`, new Map()));
  write = async ({ address }: Document) => Promise.resolve(this.#ask(`write ${address}`, version));
  writeAndRead = async ({ address }: Document) =>
    Promise.resolve(this.#ask(`writeAndRead ${address}`, { ...aDocument(address), version }));
  recreate = async ({ address }: Document) => Promise.resolve(this.#ask(`recreate ${address}`, version));
  delete = async (address: Address) => Promise.resolve(this.#ask(`delete ${address}`, undefined));
  finish = async ({ address }: Document) => Promise.resolve(this.#ask(`finish ${address}`, undefined));
  undo = async (address: Address) => Promise.resolve(this.#ask(`undo ${address}`, undefined));
  undelete = async (address: Address) => Promise.resolve(this.#ask(`undelete ${address}`, undefined));
  overwriteRefusal = async (address: Address) =>
    Promise.resolve(this.#ask(`overwriteRefusal ${address}`, undefined));
  [Symbol.asyncDispose] = async () => Promise.resolve(this.#ask('dispose', undefined));
}

function aGatedDriver() {
  const inner = new AnyDriver();
  return { inner, driver: gate(inner, GATE), ...storesOf(gate(inner, GATE)) };
}

function storesOf({ backups, claims, copies, projections }: Driver) {
  if (backups === undefined || claims === undefined || copies === undefined || projections === undefined) {
    throw new Error('the driver below has all of them');
  }
  return { backups, claims, copies, projections };
}

type Methods<T> = {
  readonly [K in keyof T as T[K] extends ((...args: never[]) => unknown) | undefined ? K : never]: unknown;
};
type Call = (address: Address) => unknown;

/** Typed by the contract: a new method of it must be added here. */
function callsThatReachAnAddress() {
  const { inner, driver, backups, claims, copies, projections } = aGatedDriver();
  const ofDriver: Record<
    keyof Omit<
      Methods<Driver>,
      | 'probe'
      | 'list'
      | 'versions'
      | 'readMany'
      | 'denied'
      | 'isLeaving'
      | 'refusalOf'
      | 'addressRefusalOf'
      | 'locationOf'
      | 'acceptedPerSecond'
      | typeof Symbol.asyncDispose
    >,
    Call
  > = {
    read: (address) => driver.read(address, signal),
    write: (address) => driver.write(aDocument(address), 'absent', permitted(signal)),
    writeAndRead: (address) => driver.writeAndRead?.(aDocument(address), 'absent', permitted(signal)),
    recreate: (address) => driver.recreate(aDocument(address), version, permitted(signal)),
    delete: (address) => driver.delete(address, version, permitted(signal)),
    finish: (address) => driver.finish(aDocument(address), version, permitted(signal)),
    undo: (address) => driver.undo(address, version, permitted(signal)),
    undelete: (address) => driver.undelete(address, version, permitted(signal)),
    overwriteRefusal: (address) => driver.overwriteRefusal(address, signal),
  };
  const ofClaims: Record<keyof Omit<ClaimStore, 'release'>, Call> = {
    claim: (address) => claims.claim(address, version, 'run', permitted(signal)),
  };
  const ofBackups: Record<keyof Omit<BackupStore, 'addressOf'>, Call> = {
    has: (address) => backups.has(address, signal),
    get: (address) => backups.get(address, signal),
    retire: (address) => backups.retire(address, version, permitted(signal)),
    discard: (address) => backups.discard(address, permitted(signal)),
  };
  const ofCopies: Record<keyof Omit<CopyStore, 'discardExpired'>, Call> = {
    keep: (address) => copies.keep(address, version, '2026-11-27T20:00:00Z', permitted(signal)),
  };
  const ofProjections: Record<keyof ProjectionStore, Call> = {
    mark: (address) => projections.mark(address, version, 'origin', permitted(signal)),
    unmark: (address) => projections.unmark(address, version, 'origin', permitted(signal)),
  };
  const calls = { ...ofDriver, ...ofClaims, ...ofBackups, ...ofCopies, ...ofProjections };
  return { inner, calls: Object.entries(calls) };
}

describe('a gated driver', () => {
  it('refuses each call for a hidden address before a request leaves, and passes on every other call', async () => {
    const { inner, calls } = callsThatReachAnAddress();
    for (const [, call] of calls) {
      await expect(call('sys_a')).rejects.toMatchObject({
        code: 'NAME_RESERVED',
        message: expect.stringContaining('Not for you.'),
      });
    }
    expect(inner.asked).toEqual([]);
    for (const [, call] of calls) await call('a');
    expect(inner.asked).toEqual(calls.map(([name]) => `${name} a`));
  });

  it('refuses a backup with a hidden name, even if the name of the document is not hidden', async () => {
    const inner = new AnyDriver();
    const narrow: Gate = {
      ...GATE,
      refusalOf: (address) => (address.startsWith('a.b') ? REFUSAL : undefined),
    };
    const { backups } = storesOf(gate(inner, narrow));
    await expect(backups.has('a', signal)).rejects.toMatchObject({ code: 'NAME_RESERVED' });
    await expect(backups.retire('a', version, permitted(signal))).rejects.toMatchObject({
      code: 'NAME_RESERVED',
    });
    expect(inner.asked).toEqual([]);
  });

  it('reads many: only a hidden address fails, and it is not requested', async () => {
    const { inner, driver } = aGatedDriver();
    const outcomes = await Array.fromAsync(driver.readMany(['a', 'sys_a', 'b'], signal));
    expect(inner.asked).toEqual(['readMany a b']);
    const failed = outcomes.filter((outcome) => 'error' in outcome);
    expect(failed).toMatchObject([{ address: 'sys_a', error: { code: 'NAME_RESERVED' } }]);
    expect(outcomes).toHaveLength(3);
  });

  it('lists no hidden names and requests no hidden folder', async () => {
    const { inner, driver } = aGatedDriver();
    const listed = await Array.fromAsync(driver.list({ folder: '' }, signal));
    expect(listed.map(({ address }) => address)).toEqual(['a', 'b']);
    expect(await Array.fromAsync(driver.list({ folder: 'sys_folder' }, signal))).toEqual([]);
    expect(inner.asked).toEqual(['list ']);
  });

  it('tells no versions of hidden names and requests no hidden folder', async () => {
    const { inner, driver } = aGatedDriver();
    const listed = await Array.fromAsync(driver.versions({ folder: '' }, signal));
    expect(listed).toEqual(['a', 'b'].map((address) => ({ address, state: 'present', version })));
    expect(await Array.fromAsync(driver.versions({ folder: 'sys_folder' }, signal))).toEqual([]);
    expect(inner.asked).toEqual(['versions ']);
  });

  it('adds the hidden folders to those that the driver below skips', async () => {
    let skips: ((folder: Address) => boolean) | undefined;
    const inner = Object.assign(new AnyDriver(), {
      list: (query: { readonly skips?: (folder: Address) => boolean }) => {
        skips = query.skips;
        return all<Entry>();
      },
    });
    const query = { folder: '', skips: (folder: Address) => folder === 'other' };
    await Array.fromAsync(gate(inner, GATE).list(query, signal));
    expect(['sys_a', 'other', 'a'].map((folder) => skips?.(folder))).toEqual([true, true, false]);
  });

  it('refuses a hidden address when asked about rights or about what can be stored there', async () => {
    const { inner, driver } = aGatedDriver();
    const needs = ['sys_a', 'b'].map((address) => ({ address, verbs: ['read'] as const }));
    expect([...(await driver.denied(needs, signal))]).toEqual([['sys_a', REFUSAL]]);
    expect(inner.asked).toEqual(['denied b']);
    expect(driver.addressRefusalOf('sys_a')).toEqual(REFUSAL);
    expect(driver.refusalOf(aDocument('sys_a'))).toEqual(REFUSAL);
    expect(driver.addressRefusalOf('b')).toBeUndefined();
  });

  it('does not close the driver below', async () => {
    const { inner, driver } = aGatedDriver();
    await driver[Symbol.asyncDispose]();
    expect(inner.asked).toEqual([]);
  });
});
