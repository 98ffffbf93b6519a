import { readlinkSync, realpathSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryFixture } from '#test/support/directory-fixture.ts';
import { aDocument, versionIn } from '#test/support/documents.ts';
import type { Driver } from '../driver.ts';
import { permitted } from '#test/support/permit.ts';

/*
 * What survives a power failure: a file has its bytes only if it was synced before it got its name, and an added or
 * removed name is durable only once its folder was synced. No file system shows this while the power is on, so these
 * tests observe the calls to it.
 */

/** One successful call of the file system. Paths are real paths. */
type Event =
  | { readonly kind: 'write' | 'sync'; readonly path: string }
  | { readonly kind: 'give'; readonly path: string; readonly from: string }
  | { readonly kind: 'take'; readonly path: string };

type Method = (this: promises.FileHandle & { fd: number }, ...args: unknown[]) => Promise<unknown>;

/** Observes the calls of the driver to node's file system until it is disposed of. */
class Watch implements AsyncDisposable {
  readonly events: Event[] = [];
  readonly #undo: (() => void)[] = [];

  static async start(): Promise<Watch> {
    const watch = new Watch();
    const handle = await promises.open('/');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the class of file handles is exported nowhere
    const fileHandles = Object.getPrototypeOf(handle) as Record<string, Method>;
    await handle.close();
    for (const name of ['sync', 'datasync']) watch.#observe(fileHandles, name, 'sync');
    for (const name of ['write', 'writev', 'writeFile', 'appendFile', 'truncate']) {
      watch.#observe(fileHandles, name, 'write');
    }
    watch.#observeNames();
    return watch;
  }

  #observe(target: Record<string, Method>, name: string, kind: 'sync' | 'write'): void {
    const original = target[name];
    if (original === undefined) throw new Error(`file handles have no ${name}`);
    const { events } = this;
    target[name] = async function observed(...args) {
      const path = readlinkSync(`/proc/self/fd/${this.fd}`);
      const result = await original.apply(this, args);
      events.push({ kind, path });
      return result;
    };
    this.#undo.push(() => {
      target[name] = original;
    });
  }

  /** The named exports of node's modules follow after `syncBuiltinESMExports`. */
  #observeNames(): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the module itself, whose members can be replaced
    const module = createRequire(import.meta.url)('node:fs/promises') as Record<
      string,
      (...paths: string[]) => Promise<unknown>
    >;
    const observe = (name: string, eventsOf: (paths: readonly string[]) => readonly Event[]): void => {
      const original = module[name];
      if (original === undefined) throw new Error(`node has no ${name}`);
      module[name] = async (...args) => {
        const events = eventsOf(args.map((path) => (typeof path === 'string' ? realPathOf(path) : '')));
        const result = await original(...args);
        this.events.push(...events);
        return result;
      };
      this.#undo.push(() => {
        module[name] = original;
      });
    };
    const give = (from = '', path = ''): Event => ({ kind: 'give', from, path });
    observe('link', ([from, path]) => [give(from, path)]);
    observe('rename', ([from = '', path]) => [give(from, path), { kind: 'take', path: from }]);
    for (const name of ['unlink', 'rmdir', 'rm']) observe(name, ([path = '']) => [{ kind: 'take', path }]);
    syncBuiltinESMExports();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const undo of this.#undo) undo();
    syncBuiltinESMExports();
    return Promise.resolve();
  }
}

/** The folder may be named by a number of this process. */
function realPathOf(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

const { signal } = new AbortController();
const FILE = { value: 'new' };
const FOLDER = { user: 'new', password: 'new' };
let fixture: DirectoryFixture;
let driver: Driver;

beforeEach(async () => {
  fixture = await DirectoryFixture.open();
  driver = fixture.driver();
});
afterEach(() => fixture[Symbol.asyncDispose]());

/** Calls of the file system during the change. The probe before it is not observed. */
async function eventsOf(change: () => Promise<unknown>): Promise<readonly Event[]> {
  await driver.probe(signal);
  await using watch = await Watch.start();
  await change();
  return watch.events;
}

const isPublic = (path: string): boolean => !basename(path).includes('.keyferry-');

/** Events that add a name which is not transient. */
function publishedIn(events: readonly Event[]): readonly (Event & { kind: 'give' })[] {
  return events.filter(
    (event): event is Event & { kind: 'give' } => event.kind === 'give' && isPublic(event.path),
  );
}

/** Parts that were published before they were synced. */
function publishedTooEarly(events: readonly Event[]): readonly string[] {
  return publishedIn(events).flatMap((published) => {
    const before = events.slice(0, events.indexOf(published));
    const isPart = (path: string): boolean =>
      path === published.from || path.startsWith(`${published.from}/`);
    const parts = new Set(
      before.filter(({ kind, path }) => kind === 'write' && isPart(path)).map(({ path }) => path),
    );
    // A folder keeps the names of its files: it must be synced after the last of them was made.
    const unsynced = [...parts, published.from].filter((part) => {
      const isLater = (event: Event): boolean =>
        event.kind === 'write' && (event.path === part || event.path.startsWith(`${part}/`));
      return (
        before.findLastIndex(({ kind, path }) => kind === 'sync' && path === part) <=
        before.findLastIndex(isLater)
      );
    });
    return unsynced.map((part) => basename(part));
  });
}

/** Names in this folder that were added or removed after its last sync. */
function namesNotDurable(events: readonly Event[], folder = fixture.folder): readonly string[] {
  const lastSync = events.findLastIndex(({ kind, path }) => kind === 'sync' && path === folder);
  return events
    .slice(lastSync + 1)
    .filter(({ kind, path }) => (kind === 'give' || kind === 'take') && dirname(path) === folder)
    .map(({ path }) => basename(path));
}

const write =
  (fields: Record<string, string>, name = 'x') =>
  async () =>
    driver.write(aDocument(name, fields), 'absent', permitted(signal));
const versionOfX = async () => versionIn(await driver.read('x', signal));

const SHAPES = [
  ['a file', FILE, 'old'],
  ['a folder of files', FOLDER, { user: 'old', password: 'old' }],
] as const;

describe.each(SHAPES)('for %s', (_shape, fields, old) => {
  it('syncs a new document before it gets its name, and its name before the write resolves', async () => {
    const events = await eventsOf(write(fields));
    expect(publishedIn(events).map(({ path }) => path)).toEqual([fixture.path('x')]);
    expect(publishedTooEarly(events)).toEqual([]);
    expect(namesNotDurable(events)).toEqual([]);
  });

  it('does the same when it replaces a document', async () => {
    await fixture.put('x', old);
    const version = await versionOfX();
    const events = await eventsOf(async () =>
      driver.write(aDocument('x', fields), version, permitted(signal)),
    );
    expect(publishedIn(events).map(({ path }) => path)).toEqual([fixture.path('x')]);
    expect(publishedTooEarly(events)).toEqual([]);
    expect(namesNotDurable(events)).toEqual([]);
    // The new name is durable before the old bytes are removed.
    const published = events.findIndex(({ kind, path }) => kind === 'give' && isPublic(path));
    const dropped = events.findLastIndex(
      ({ kind, path }) => kind === 'take' && path.includes('.keyferry-aside-'),
    );
    const between = events.slice(published, dropped);
    expect(between).toContainEqual({ kind: 'sync', path: fixture.folder });
  });

  it('makes a removal durable before it resolves', async () => {
    await fixture.put('x', old);
    const version = await versionOfX();
    const events = await eventsOf(async () => driver.delete('x', version, permitted(signal)));
    expect(events.some(({ kind }) => kind === 'take')).toBe(true);
    expect(namesNotDurable(events)).toEqual([]);
  });

  it('makes a backup durable, bytes and name, before it removes the document', async () => {
    await fixture.put('x', old);
    const version = await versionOfX();
    const events = await eventsOf(async () => driver.backups?.retire('x', version, permitted(signal)));
    expect(publishedIn(events).map(({ path }) => path)).toEqual([fixture.path('.x.migrated.bak')]);
    expect(publishedTooEarly(events)).toEqual([]);
    const taken = events.findIndex((event) => event.kind === 'give' && event.from === fixture.path('x'));
    expect(taken).toBeGreaterThan(0);
    expect(namesNotDurable(events.slice(0, taken))).toEqual([]);
    expect(namesNotDurable(events)).toEqual([]);
  });

  it('makes the removal of a backup durable before it resolves', async () => {
    await fixture.put('.x.migrated.bak', old);
    const events = await eventsOf(async () => driver.backups?.discard('.x.migrated.bak', permitted(signal)));
    expect(events.some(({ kind }) => kind === 'take')).toBe(true);
    expect(namesNotDurable(events)).toEqual([]);
  });

  it('makes the rollback of a claim durable before the read', async () => {
    const events = await eventsOf(async () => {
      await fixture.put('.x.keyferry-aside-0123456789ab', old);
      await fixture.driverOfAnotherProcess().read('x', signal);
    });
    expect(publishedIn(events).map(({ path }) => path)).toEqual([fixture.path('x')]);
    expect(namesNotDurable(events)).toEqual([]);
  });
});
