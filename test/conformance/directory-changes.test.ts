import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, readdir, rename, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Driver, BackupStore } from '#src/backends/driver.ts';
import type { Version } from '#src/core/document.ts';
import { errorOf } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { DirectoryFixture } from '#test/support/directory-fixture.ts';
import { aDocument, codeOf, failureOf, presentIn, versionIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { permitted } from '#test/support/permit.ts';

const { signal } = new AbortController();
const ID = '0123456789ab';
const BACKUP = '.x.migrated.bak';
let fixture: DirectoryFixture;
let driver: Driver;

beforeEach(async () => {
  fixture = await DirectoryFixture.open();
  driver = fixture.driver();
});
afterEach(() => fixture[Symbol.asyncDispose]());

const versionAt = async (address: string): Promise<Version> => versionIn(await driver.read(address, signal));

function backupsOf({ backups }: Driver): BackupStore {
  if (backups === undefined) throw new Error('a directory keeps backups');
  return backups;
}

/** A driver that runs `act` before its next change of a name: after it has read, before it claims. */
function interrupted(act: () => void, skip = 0): Driver {
  let calls = 0;
  const random = (): number => {
    calls += 1;
    if (calls === skip + 1) act();
    return Math.random();
  };
  return fixture.driver({ random });
}

/** The ways to change `x`, and how many names each one adds before the claim. */
const CHANGES = [
  ['delete', 0, async (by: Driver, version: Version) => by.delete('x', version, permitted(signal))],
  [
    'replace',
    1,
    async (by: Driver, version: Version) =>
      by.write(aDocument('x', { value: 'mine' }), version, permitted(signal)),
  ],
  [
    'backup',
    1,
    async (by: Driver, version: Version) => backupsOf(by).retire('x', version, permitted(signal)),
  ],
] as const;

/** What another writer can do to `x` in that moment. */
const OVERTAKERS: readonly (readonly [string, () => void])[] = [
  ['writes into it', () => writeFileSync(fixture.path('x'), 'theirs')],
  ['writes as many bytes into it', () => writeFileSync(fixture.path('x'), 'THEY')],
  [
    'renames another file over it',
    () => {
      writeFileSync(fixture.path('.theirs'), 'theirs');
      renameSync(fixture.path('.theirs'), fixture.path('x'));
    },
  ],
  [
    'removes it and makes it again with the same bytes',
    () => {
      rmSync(fixture.path('x'));
      writeFileSync(fixture.path('x'), 'ours');
    },
  ],
];

describe.each(CHANGES)('%s, while another writer', (kind, skip, change) => {
  it.each(OVERTAKERS)('%s, changes nothing', async (_what, overtake) => {
    await fixture.put('x', 'ours');
    const version = await versionAt('x');
    expect(await codeOf(change(interrupted(overtake, skip), version))).toBe('VERSION_CONFLICT');
    expect(await fixture.text('x')).toMatch(/theirs|THEY|ours/);
    expect(await fixture.text('x')).toBe(
      presentIn(await driver.read('x', signal))
        .fields.get('value')
        ?.reveal()
        .toString(),
    );
    expect((await fixture.names()).filter((name) => name !== BACKUP)).toEqual(['x']);
  });

  it('adds a file to it, a folder, changes nothing', async () => {
    await fixture.put('x', { a: 'ours' });
    const version = await versionAt('x');
    const overtake = () => writeFileSync(fixture.path('x', 'b'), 'theirs');
    expect(await codeOf(change(interrupted(overtake, skip), version))).toBe('VERSION_CONFLICT');
    expect(await readdir(fixture.path('x'))).toEqual(['a', 'b']);
  });

  it('writes into a file of it, a folder, changes nothing', async () => {
    await fixture.put('x', { a: 'ours' });
    const version = await versionAt('x');
    const overtake = () => writeFileSync(fixture.path('x', 'a'), 'THEY');
    expect(await codeOf(change(interrupted(overtake, skip), version))).toBe('VERSION_CONFLICT');
    expect(await fixture.text('x', 'a')).toBe('THEY');
  });

  it('removes it, brings nothing back', async () => {
    await fixture.put('x', 'ours');
    const version = await versionAt('x');
    const overtake = () => rmSync(fixture.path('x'));
    expect(await codeOf(change(interrupted(overtake, skip), version))).toBe('VERSION_CONFLICT');
    expect((await fixture.names()).filter((name) => name !== BACKUP)).toEqual([]);
  });

  it('replaces it by a folder, keeps that folder', async () => {
    await fixture.put('x', 'ours');
    const version = await versionAt('x');
    const overtake = () => {
      rmSync(fixture.path('x'));
      mkdirSync(fixture.path('x'));
      writeFileSync(fixture.path('x', 'a'), 'theirs');
    };
    expect(await codeOf(change(interrupted(overtake, skip), version))).toBe('VERSION_CONFLICT');
    expect(await fixture.text('x', 'a')).toBe('theirs');
    expect(kind).toBeDefined();
  });
});

describe('what a crash leaves', () => {
  const aside = `.x.keyferry-aside-${ID}`;

  it.each([
    ['a listing', async () => collect(driver.list({ folder: '' }, signal))],
    ['a read', async () => driver.read('x', signal)],
    ['a read of something else', async () => driver.read('y', signal)],
  ])('in the middle of a removal is undone by the next read: %s', async (_what, look) => {
    await fixture.put('x', 'value');
    await fixture.put('y', { a: 'v' });
    await rename(fixture.path('x'), fixture.path(aside));
    await rename(fixture.path('y'), fixture.path(`.y.keyferry-aside-${ID}`));
    await look();
    expect(await fixture.names()).toEqual(['x', 'y']);
    expect(await fixture.text('x')).toBe('value');
    expect(await fixture.text('y', 'a')).toBe('v');
  });

  it('while the operator is running is found by the read that misses the document', async () => {
    await fixture.put('x', 'value');
    await driver.read('x', signal);
    await rename(fixture.path('x'), fixture.path(aside));
    expect((await driver.read('x', signal)).state).toBe('present');
    const version = await versionAt('x');
    await rename(fixture.path('x'), fixture.path(aside));
    // The document exists again, with a new time: it does not count as gone.
    expect(await codeOf(driver.delete('x', version, permitted(signal)))).toBe('VERSION_CONFLICT');
    expect(await fixture.text('x')).toBe('value');
  });

  it('stays beside the document that took its name, and does not come back when that is removed', async () => {
    await fixture.put(aside, 'old');
    await fixture.put('x', 'new');
    await fixture.put(`.y.keyferry-aside-${ID}`, { a: 'old' });
    await fixture.put('y', {});
    await driver.read('x', signal);
    const kept = [`.x.keyferry-kept-${ID}`, `.y.keyferry-kept-${ID}`];
    expect(await fixture.names()).toEqual([...kept, 'x', 'y']);
    expect(await fixture.text(kept[0]!)).toBe('old');
    expect(await fixture.text('x')).toBe('new');
    await unlink(fixture.path('x'));
    expect(await driver.read('x', signal)).toEqual({ state: 'absent' });
    expect(await collect(fixture.driver().list({ folder: '' }, signal))).toEqual([{ address: 'y' }]);
  });

  it('of a committed removal is removed', async () => {
    await fixture.put(`.x.keyferry-trash-${ID}`, { b: 'half gone' });
    await driver.read('x', signal);
    expect(await fixture.names()).toEqual([]);
  });

  it('of a write is removed, and no file of another program', async () => {
    await fixture.put(`.x.keyferry-${ID}`, 'half');
    await fixture.put(`.y.keyferry-${ID}`, { a: 'half' });
    await fixture.put('.vimrc', 'of another writer');
    expect(await driver.read('x', signal)).toEqual({ state: 'absent' });
    expect(await fixture.names()).toEqual(['.vimrc']);
  });
});

describe('a backup', () => {
  const retire = async (): Promise<string> =>
    backupsOf(driver).retire('x', await versionAt('x'), permitted(signal));

  it.each([
    ['file', 'secret\n'],
    ['folder', { user: 'app', '.env': 'A=b\n' }],
  ])(
    'has the bytes of the %s, with rights for its owner only, and is not a document',
    async (_shape, content) => {
      await fixture.put('x', content);
      const strip = fixture.driver({ trailingNewline: 'Strip' });
      const version = versionIn(await strip.read('x', signal));
      expect(await backupsOf(strip).retire('x', version, permitted(signal))).toBe(BACKUP);
      expect(await fixture.names()).toEqual([BACKUP]);
      // Including the newline, although it is not part of the value here.
      const found =
        typeof content === 'string' ? await fixture.text(BACKUP) : await fixture.text(BACKUP, '.env');
      expect(found).toBe(typeof content === 'string' ? 'secret\n' : 'A=b\n');
      const { mode } = await stat(fixture.path(BACKUP));
      expect(mode & 0o077).toBe(0);

      expect(await backupsOf(driver).has('x', signal)).toBe(true);
      expect(await collect(driver.list({ folder: '' }, signal))).toEqual([]);
      expect(driver.addressRefusalOf(BACKUP)?.reason).toBe('NameRefused');
      expect(await codeOf(driver.read(BACKUP, signal))).toBe('DOCUMENT_REFUSED');
      await backupsOf(driver).discard(BACKUP, permitted(signal));
      expect(await fixture.names()).toEqual([]);
      await backupsOf(driver).discard(BACKUP, permitted(signal));
    },
  );

  it.each<[string, string | Record<string, string>]>([
    ['other bytes', 'newer'],
    ['another form', { value: 'v' }],
    ['a link', ''],
  ])('of %s is never overwritten: the document stays', async (what, content) => {
    if (what === 'a link') await symlink('x', fixture.path(BACKUP));
    else await fixture.put(BACKUP, content);
    await fixture.put('x', 'v');
    const before = await stat(fixture.path(BACKUP), { bigint: true });
    expect(await failureOf(retire())).toMatchObject({ code: 'ALREADY_EXISTS', target: BACKUP });
    expect(await fixture.names()).toEqual([BACKUP, 'x']);
    expect((await stat(fixture.path(BACKUP), { bigint: true })).mtimeNs).toBe(before.mtimeNs);
    expect(await fixture.text('x')).toBe('v');
  });

  it('of a killed run counts as its own, and only then is the document removed', async () => {
    await fixture.put(BACKUP, 'v');
    await fixture.put('x', 'v');
    await retire();
    expect(await fixture.names()).toEqual([BACKUP]);
    expect(await fixture.text(BACKUP)).toBe('v');
  });

  it('is not written into by a program that still has the file open', async () => {
    await fixture.put('x', 'v');
    await using handle = await open(fixture.path('x'), 'r+');
    await retire();
    await handle.write('later');
    expect(await fixture.text(BACKUP)).toBe('v');
  });

  it.each([['x'], ['.migrated.bak'], ['..migrated.bak'], ['.vimrc'], ['../.x.migrated.bak']])(
    'cannot have the name %j: nothing is discarded',
    async (name) => {
      await fixture.put('x', 'v');
      expect(await codeOf(backupsOf(driver).discard(name, permitted(signal)))).toBe('DOCUMENT_REFUSED');
      expect(await fixture.names()).toEqual(['x']);
    },
  );

  it('cannot be removed through a link', async () => {
    await fixture.put('x', 'v');
    await symlink('x', fixture.path('.y.migrated.bak'));
    expect(await codeOf(backupsOf(driver).discard('.y.migrated.bak', permitted(signal)))).toBe(
      'DOCUMENT_REFUSED',
    );
    expect(await fixture.text('x')).toBe('v');
  });
});

describe('two writers', () => {
  const bothOf = async (calls: readonly Promise<unknown>[]): Promise<readonly string[]> =>
    (await Promise.all(calls.map(async (call) => codeOf(call)))).toSorted();

  it.each([
    ['files', 'value'],
    ['folders', 'a'],
  ])('of different processes never both create the same %s', async (_shape, field) => {
    const other = fixture.driverOfAnotherProcess();
    // The first operation of a process runs recovery, which removes what the other one is writing: its write then fails.
    for (const by of [driver, other]) await by.probe(signal);
    for (let round = 0; round < 20; round += 1) {
      const calls = [driver, other].map(async (by) =>
        by.write(aDocument(`x${round}`, { [field]: `${round}` }), 'absent', permitted(signal)),
      );
      expect(await bothOf(calls)).toEqual(['ALREADY_EXISTS', 'none']);
    }
  });

  it('of one process never both replace or remove the same state', async () => {
    const sameProcess = fixture.driver();
    for (let round = 0; round < 10; round += 1) {
      const version = await driver.write(aDocument(`x${round}`, { value: 'v' }), 'absent', permitted(signal));
      const replacement = driver.write(aDocument(`x${round}`, { value: 'w' }), version, permitted(signal));
      const removal = sameProcess.delete(`x${round}`, version, permitted(signal));
      const codes = await bothOf([replacement, removal]);
      expect(codes.filter((code) => code === 'none')).toHaveLength(1);
    }
    expect((await fixture.names()).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('a read', () => {
  it('of a file that has just changed waits and reads again: a later change could have the same time', async () => {
    const sleeps: number[] = [];
    const clock: Clock = {
      ...systemClock,
      // Independent of the speed of this machine: the file has only just changed.
      now: () => (sleeps.length < 2 ? Math.ceil(statSync(fixture.path('x')).ctimeMs) : systemClock.now()),
      sleep: async (ms, until) => {
        if (sleeps.push(ms) === 1) writeFileSync(fixture.path('x'), 'second');
        await systemClock.sleep(ms, until);
      },
    };
    await fixture.put('x', 'first!');
    const { fields } = presentIn(await fixture.driver({ clock }).read('x', signal));
    expect(fields.get('value')?.reveal().toString()).toBe('second');
    expect(sleeps.length).toBeGreaterThanOrEqual(2);
  });

  it('never returns a different version for the same bytes, nor the same version for different bytes', async () => {
    await fixture.put('x', '0');
    const first = await versionAt('x');
    expect(await versionAt('x')).toEqual(first);
    const seen = new Set([first.revision]);
    for (let round = 1; round < 10; round += 1) {
      await writeFile(fixture.path('x'), String(round % 2));
      seen.add((await versionAt('x')).revision);
    }
    expect(seen.size).toBe(10);
    const restarted = fixture.driverOfAnotherProcess();
    expect(versionIn(await restarted.read('x', signal))).toEqual(await versionAt('x'));
  });

  it('returns one complete state or fails for a file that is written to all the time', async () => {
    const size = 200_000;
    const stop = new AbortController();
    const writing = (async () => {
      await using handle = await open(fixture.path('x'), 'w');
      for (let round = 0; !stop.signal.aborted; round += 1) {
        await handle.write(Buffer.alloc(size, round % 2 === 0 ? 'a' : 'b'), 0, size, 0);
      }
    })();
    const reads = await Promise.allSettled(Array.from({ length: 3 }, async () => driver.read('x', signal)));
    stop.abort();
    await writing;
    reads.push({ status: 'fulfilled', value: await driver.read('x', signal) });
    for (const read of reads) {
      if (read.status === 'rejected') expect(errorOf(read.reason).code).toBe('VERSION_CONFLICT');
      else expect(new Set(presentIn(read.value).fields.get('value')?.reveal()).size).toBe(1);
    }
  });
});
