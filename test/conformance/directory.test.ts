import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackendDriver } from '#src/backends/driver.ts';
import { DirectoryFactory } from '#src/backends/directory/factory.ts';
import type { DirectorySpec } from '#src/api/v1alpha1/secret-backend.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { aDocument, codeOf, contentOf, failureOf, presentIn, secretKey, versionIn } from './documents.ts';
import { collect, describeDriver } from './driver-suite.ts';
import type { Place } from './driver-suite.ts';

const NAMESPACE = 'payments';
const { signal } = new AbortController();

function aRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'keyferry-directory-'));
  mkdirSync(join(root, NAMESPACE), { mode: 0o700 });
  return root;
}

function driverFor(root: string, directory: Partial<DirectorySpec> = {}, tenant = NAMESPACE): BackendDriver {
  return new DirectoryFactory({ root, clock: systemClock }).create({
    title: `SecretBackend ${tenant}/files`,
    spec: {
      type: 'directory',
      directory: { trailingNewline: 'Keep', allowWorldReadable: false, ...directory },
    },
    credentialsNamespace: tenant,
    tenant,
  });
}

/** Every path below, with what a change of it would change. */
function stateOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((path) => {
      const { ctimeMs, ino } = lstatSync(join(folder, path));
      return `${path} ${ino} ${ctimeMs}`;
    });
}

async function openPlace(): Promise<Place> {
  const root = aRoot();
  const folder = join(root, NAMESPACE);
  const exposed = join(folder, 'exposed');
  mkdirSync(exposed);
  chmodSync(exposed, 0o755);
  const own = join(folder, 'own');
  mkdirSync(own, { mode: 0o700 });
  return await Promise.resolve({
    driver: driverFor(root, { path: 'own' }),
    denied: driverFor(root, { path: 'exposed' }),
    unreachable: driverFor(root, { path: 'nowhere' }),
    traffic: async (during) => {
      const before = stateOf(own);
      await during();
      return stateOf(own).filter((line) => !before.includes(line));
    },
    recreate: async (address, field, text) => {
      rmSync(join(own, address), { recursive: true });
      mkdirSync(join(own, address));
      await Promise.resolve(writeFileSync(join(own, address, field), text));
    },
    [Symbol.asyncDispose]: async () => Promise.resolve(rmSync(root, { recursive: true })),
  });
}

describeDriver({
  kind: 'directory',
  open: openPlace,
  manyNames: 300,
  largeTextBytes: 1_048_576,
  tooLargeBytes: 1_048_577,
  fieldName: secretKey,
  holds: 'bytes',
  // Rights do not bind root, which tests run as; everybody's rights on the folder are refused to whoever runs.
  deniedCode: 'FOLDER_EXPOSED',
  hostileAddresses: [
    '',
    '.',
    '..',
    '../other',
    'a/b',
    '/a',
    'a/',
    '.hidden',
    '.a.migrated.bak',
    '.a.keyferry-aside-0123456789abcdef',
    'a%2fb',
    'a\\b',
    'a\tb',
    'a\n',
    ' a',
    'a ',
    'a?b',
    'a#b',
    'a\0',
    'a'.repeat(201),
  ],
});

describe('the directory driver, beyond what all drivers share,', () => {
  let root: string;
  let folder: string;
  let driver: BackendDriver;

  beforeEach(() => {
    root = aRoot();
    folder = join(root, NAMESPACE);
    driver = driverFor(root);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const at = (name: string) => join(folder, name);
  const plant = (name: string, text: string) => writeFileSync(at(name), text, { mode: 0o600 });
  const textOf = async (name: string, field = 'value') =>
    presentIn(await driver.read(name, signal))
      .fields.get(field)
      ?.reveal()
      .toString();
  const versionOf = async (name: string) => versionIn(await driver.read(name, signal));
  const names = async () =>
    (await collect(driver.list({ folder: '' }, signal))).map(({ address }) => address);

  describe('as files', () => {
    it('takes a file for a document with the field value, and a folder for one with a field for each file', async () => {
      plant('token', 'hunter2');
      mkdirSync(at('login'));
      writeFileSync(join(at('login'), 'user'), 'app');
      writeFileSync(join(at('login'), '.dockerconfigjson'), '{}');
      expect((await names()).toSorted()).toEqual(['login', 'token']);
      expect(await textOf('token')).toBe('hunter2');
      expect(contentOf(presentIn(await driver.read('login', signal)))).toEqual(
        contentOf(aDocument('login', { user: 'app', '.dockerconfigjson': '{}' })),
      );
    });

    it('writes them for its own user alone', async () => {
      await driver.write(aDocument('token', { value: 'v' }), 'absent', signal);
      await driver.write(aDocument('login', { user: 'app', password: 'p' }), 'absent', signal);
      const modes = ['token', 'login', 'login/user'].map((path) => lstatSync(at(path)).mode & 0o777);
      expect(modes).toEqual([0o600, 0o700, 0o600]);
      expect(readdirSync(folder).toSorted()).toEqual(['login', 'token']);
    });

    it.each([
      ['a fifo', (path: string) => expect(spawnSync('mkfifo', [path]).status).toBe(0)],
      ['a folder in a folder', (path: string) => mkdirSync(join(path, 'deep'), { recursive: true })],
      ['a link that leads nowhere', (path: string) => symlinkSync('nothing', path)],
      ['a link to itself', (path: string) => symlinkSync('odd', path)],
      ['a file that is too large', (path: string) => writeFileSync(path, Buffer.alloc(1_048_578))],
    ])('refuses %s and goes on with the others', async (_what, make) => {
      make(at('odd'));
      plant('token', 'v');
      const outcomes = await collect(driver.readMany(['odd', 'token'], signal));
      const odd = outcomes.find(({ address }) => address === 'odd');
      expect(odd).toHaveProperty('error.code', 'DOCUMENT_REFUSED');
      expect(outcomes.find(({ address }) => address === 'token')).toHaveProperty('result.state', 'present');
    });

    it.each([
      ['a type', { type: 'kubernetes.io/tls' }, 'TypeRefused'],
      ['immutability', { immutable: true as const }, 'NotRepresentable'],
      ['an end', { expiresAt: '2099-01-01T00:00:00Z' }, 'ExpiryRefused'],
      ['labels', { notes: new Map([['a', 'b']]) }, 'NotRepresentable'],
    ])('refuses a document with %s, which files cannot keep', async (_what, attributes, reason) => {
      const document = aDocument('a', { value: 'v' }, attributes);
      expect(driver.refusalOf(document)?.reason).toBe(reason);
      expect(await codeOf(driver.write(document, 'absent', signal))).toBe('DOCUMENT_REFUSED');
      expect(readdirSync(folder)).toEqual([]);
    });

    it.each(['..data', '.', 'a/b', 'new\nline'])('refuses a field of the name %j', (field) => {
      expect(driver.refusalOf(aDocument('a', { [field]: 'v' }))?.reason).toBe('KeyRefused');
    });
  });

  describe('confined to its folder', () => {
    it('cannot see the files of another namespace, nor be talked into it by a link', async () => {
      const other = join(root, 'other');
      mkdirSync(other, { mode: 0o700 });
      writeFileSync(join(other, 'token'), 'theirs');
      symlinkSync(join(other, 'token'), at('link'));
      symlinkSync('../other', at('folder'));
      mkdirSync(at('mixed'));
      symlinkSync('../../other/token', join(at('mixed'), 'field'));
      for (const name of ['link', 'folder', 'mixed']) {
        const failure = await failureOf(driver.read(name, signal));
        expect(failure.code).toBe('DOCUMENT_REFUSED');
        expect(failure.message).toContain('is a link out of the folder of the backend');
      }
    });

    it('reads a link that stays in it, as the kubelet lays out volumes, and changes none', async () => {
      mkdirSync(at('..2026_11'));
      writeFileSync(join(at('..2026_11'), 'token'), 'v');
      symlinkSync('..2026_11', at('..data'));
      symlinkSync('..data/token', at('token'));
      expect(await names()).toEqual(['token']);
      expect(await textOf('token')).toBe('v');
      const version = await versionOf('token');
      expect(await codeOf(driver.delete('token', version, signal))).toBe('DOCUMENT_REFUSED');
      expect(await codeOf(driver.backups!.retire('token', version, signal))).toBe('DOCUMENT_REFUSED');
      expect(await textOf('token')).toBe('v');
    });

    it('gives nobody a backup by a link', async () => {
      plant('.old.migrated.bak', 'old');
      symlinkSync('.old.migrated.bak', at('token'));
      expect(await codeOf(driver.read('token', signal))).toBe('DOCUMENT_REFUSED');
    });

    it.each(['root', 'namespace', 'folder'])(
      'is refused when everybody has rights on the %s',
      async (which) => {
        const path = { root, namespace: folder, folder: at('own') }[which] ?? '';
        mkdirSync(at('own'), { mode: 0o700 });
        chmodSync(path, 0o701);
        const failure = await failureOf(driverFor(root, { path: 'own' }).probe(signal));
        expect(failure.code).toBe('FOLDER_EXPOSED');
        expect(failure.hint).toContain('chmod o-rwx');
        await driverFor(root, { path: 'own', allowWorldReadable: true }).probe(signal);
      },
    );

    it('does not take a link on the way for a folder of its own', async () => {
      symlinkSync(root, at('up'));
      expect(await codeOf(driverFor(root, { path: 'up' }).probe(signal))).toBe('BACKEND_UNREACHABLE');
    });

    it('says in one sentence what is missing', async () => {
      const failure = await failureOf(
        driverFor(root, { path: 'a/b' }).list({ folder: '' }, signal)[Symbol.asyncIterator]().next(),
      );
      expect(failure.code).toBe('BACKEND_UNREACHABLE');
      expect(failure.message).toContain(
        'There is no folder payments/a; create it for the user of the operator, mode 0700.',
      );
      expect(failure.message).not.toContain(root);
    });

    it('does not exist without --directory-root', () => {
      const factory = new DirectoryFactory({ root: undefined, clock: systemClock });
      const directory = { trailingNewline: 'Keep', allowWorldReadable: false } as const;
      const definition = {
        title: 'SecretBackend a/b',
        spec: { type: 'directory', directory },
        credentialsNamespace: 'a',
        tenant: 'a',
      } as const;
      expect(() => factory.create(definition)).toThrow('--directory-root');
    });
  });

  describe('with the newline at the end of a file', () => {
    it('keeps it as a part of the value, or takes exactly one away', async () => {
      plant('token', 'hunter2\n\n');
      expect(await textOf('token')).toBe('hunter2\n\n');
      const stripping = driverFor(root, { trailingNewline: 'Strip' });
      const found = presentIn(await stripping.read('token', signal));
      expect(found.fields.get('value')?.reveal().toString()).toBe('hunter2\n');
    });

    it('ends what it writes with one, if that is not a part of the value', async () => {
      const stripping = driverFor(root, { trailingNewline: 'Strip' });
      await stripping.write(aDocument('token', { value: 'hunter2' }), 'absent', signal);
      expect(readFileSync(at('token'), 'utf8')).toBe('hunter2\n');
    });

    it.each(['Keep', 'Strip'] as const)('%s gives back every value', async (trailingNewline) => {
      const own = driverFor(root, { trailingNewline });
      let run = 0;
      const check = async (bytes: Uint8Array): Promise<void> => {
        run += 1;
        const document = aDocument(`doc-${run}`, { value: Buffer.from(bytes) });
        await own.write(document, 'absent', signal);
        expect(contentOf(presentIn(await own.read(document.address, signal)))).toEqual(contentOf(document));
      };
      const ending = fc.constantFrom([], [10], [10, 10], [13, 10]);
      const values = fc
        .tuple(fc.uint8Array({ maxLength: 8 }), ending)
        .map(([body, end]) => Uint8Array.from([...body, ...end]));
      await fc.assert(fc.asyncProperty(values, check), { numRuns: 40 });
    });
  });

  describe('when somebody else writes', () => {
    it('notices a change in place of the same length and time', async () => {
      plant('token', 'first');
      const version = await versionOf('token');
      const { atime, mtime } = lstatSync(at('token'));
      writeFileSync(at('token'), 'other');
      utimesSync(at('token'), atime, mtime);
      expect(await codeOf(driver.delete('token', version, signal))).toBe('VERSION_CONFLICT');
      expect(await textOf('token')).toBe('other');
    });

    it('never gives two states one version, however fast they follow each other', async () => {
      const seen = new Map<string, string>();
      plant('token', '0');
      for (let round = 1; round <= 30; round += 1) {
        const { identity, revision } = await versionOf('token');
        const text = await textOf('token');
        const key = `${identity} ${revision}`;
        expect(seen.get(key) ?? text).toBe(text);
        seen.set(key, text ?? '');
        writeFileSync(at('token'), String(round));
      }
    });

    it('lets exactly one of many simultaneous replacements and removals through', async () => {
      const version = await driver.write(aDocument('token', { value: 'first' }), 'absent', signal);
      const attempts = Array.from({ length: 6 }, (_, index) =>
        codeOf(
          index % 2 === 0
            ? driverFor(root).write(aDocument('token', { value: `${index}` }), version, signal)
            : driverFor(root).delete('token', version, signal),
        ),
      );
      const codes = await Promise.all(attempts);
      expect(codes.filter((code) => code === 'none').length).toBeLessThanOrEqual(1);
      const winner = codes.indexOf('none');
      const text = existsSync(at('token')) ? await textOf('token') : undefined;
      if (winner >= 0) expect(text).toBe(winner % 2 === 0 ? String(winner) : undefined);
      else expect(text).toBe('first');
    });
  });

  describe('after a crash', () => {
    const TOKEN = '0123456789abcdef';

    it('brings back what was moved aside, when it is read and when it is listed', async () => {
      plant(`.token.keyferry-aside-${TOKEN}`, 'v');
      expect(await textOf('token')).toBe('v');
      mkdirSync(at(`.login.keyferry-aside-${TOKEN}`));
      writeFileSync(join(at(`.login.keyferry-aside-${TOKEN}`), 'user'), 'app');
      expect((await names()).toSorted()).toEqual(['login', 'token']);
      expect(await textOf('login', 'user')).toBe('app');
      expect(readdirSync(folder).toSorted()).toEqual(['login', 'token']);
    });

    it('keeps both when the name was written anew meanwhile', async () => {
      plant(`.token.keyferry-aside-${TOKEN}`, 'old');
      plant('token', 'new');
      expect(await names()).toEqual(['token']);
      expect(await textOf('token')).toBe('new');
      expect(readFileSync(at(`.token.keyferry-aside-${TOKEN}`), 'utf8')).toBe('old');
    });

    it('finishes a removal that was decided, and does not bring back half of a folder', async () => {
      mkdirSync(at(`.login.keyferry-gone-${TOKEN}`));
      writeFileSync(join(at(`.login.keyferry-gone-${TOKEN}`), 'half'), 'v');
      expect(await names()).toEqual([]);
      expect(readdirSync(folder)).toEqual([]);
    });

    it('removes an unfinished write only when it is too old to be anybody’s', async () => {
      plant(`.token.keyferry-new-${TOKEN}`, 'half');
      await names();
      expect(readdirSync(folder)).toHaveLength(1);
      utimesSync(at(`.token.keyferry-new-${TOKEN}`), 0, 0);
      await names();
      expect(readdirSync(folder)).toEqual([]);
    });

    it('takes an equal backup that is already there for its own', async () => {
      plant('token', 'v');
      linkSync(at('token'), at('.token.migrated.bak'));
      expect(await driver.backups?.retire('token', await versionOf('token'), signal)).toBe(
        '.token.migrated.bak',
      );
      expect(readdirSync(folder)).toEqual(['.token.migrated.bak']);
    });
  });

  describe('with backups', () => {
    const { backups } = { backups: () => driver.backups ?? expect.unreachable('it keeps backups') };

    it.each([
      ['a file', { value: 'v' }],
      ['a folder', { user: 'app', password: 'p' }],
    ])(
      'keeps %s under another name, for its own user alone, and never shows it again',
      async (_what, fields) => {
        const version = await driver.write(aDocument('token', fields), 'absent', signal);
        expect(await backups().has('token', signal)).toBe(false);
        expect(await backups().retire('token', version, signal)).toBe('.token.migrated.bak');
        expect(await backups().has('token', signal)).toBe(true);
        expect(readdirSync(folder)).toEqual(['.token.migrated.bak']);
        expect(lstatSync(at('.token.migrated.bak')).mode & 0o077).toBe(0);
        expect(await names()).toEqual([]);
        expect(driver.addressRefusalOf('.token.migrated.bak')?.reason).toBe('NameRefused');
        await backups().discard('.token.migrated.bak', signal);
        await backups().discard('.token.migrated.bak', signal);
        expect(readdirSync(folder)).toEqual([]);
      },
    );

    it('makes a backup of what everybody could read private', async () => {
      plant('token', 'v');
      chmodSync(at('token'), 0o644);
      await backups().retire('token', await versionOf('token'), signal);
      expect(lstatSync(at('.token.migrated.bak')).mode & 0o777).toBe(0o600);
    });

    it.each([
      ['a file', () => plant('.token.migrated.bak', 'newer')],
      ['a folder', () => mkdirSync(join(at('.token.migrated.bak'), 'x'), { recursive: true })],
    ])('never overwrites another backup that is %s', async (_what, make) => {
      make();
      const version = await driver.write(aDocument('token', { value: 'v' }), 'absent', signal);
      const code = await codeOf(backups().retire('token', version, signal));
      expect(['ALREADY_EXISTS', 'DOCUMENT_REFUSED']).toContain(code);
      expect(await textOf('token')).toBe('v');
      expect(readdirSync(folder).toSorted()).toEqual(['.token.migrated.bak', 'token']);
    });

    it('keeps only what was proven: a newer state stays where it is', async () => {
      const version = await driver.write(aDocument('token', { value: 'v' }), 'absent', signal);
      plant('token', 'newer');
      expect(await codeOf(backups().retire('token', version, signal))).toBe('VERSION_CONFLICT');
      expect(await textOf('token')).toBe('newer');
      expect(await backups().has('token', signal)).toBe(false);
    });

    it.each(['token', '../.token.migrated.bak', '.token', ''])(
      'discards nothing that is called %j',
      async (name) => {
        plant('token', 'v');
        expect(await codeOf(backups().discard(name, signal))).toBe('DOCUMENT_REFUSED');
        expect(await textOf('token')).toBe('v');
      },
    );
  });
});
