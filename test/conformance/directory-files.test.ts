import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, link, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryFactory } from '#src/backends/directory/factory.ts';
import type { Driver } from '#src/backends/driver.ts';
import type { Attributes, Version } from '#src/core/document.ts';
import { errorOf } from '#src/errors.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { DirectoryFixture } from '#test/support/directory-fixture.ts';
import { aDocument, codeOf, contentOf, failureOf, presentIn, versionIn } from '#test/support/documents.ts';
import { collect } from '#test/support/collect.ts';
import { permitted } from '#test/support/permit.ts';

const { signal } = new AbortController();
let fixture: DirectoryFixture;
let driver: Driver;

beforeEach(async () => {
  fixture = await DirectoryFixture.open();
  driver = fixture.driver();
});
afterEach(() => fixture[Symbol.asyncDispose]());

const listed = async (): Promise<readonly string[]> =>
  (await collect(driver.list({ folder: '' }, signal))).map(({ address }) => address).toSorted();

async function textAt(address: string, from = driver): Promise<Record<string, string>> {
  const { fields } = presentIn(await from.read(address, signal));
  return Object.fromEntries([...fields].map(([name, value]) => [name, value.reveal().toString()]));
}

const versionAt = async (address: string): Promise<Version> => versionIn(await driver.read(address, signal));

describe('files and folders', () => {
  it('are documents, and are written as they are read', async () => {
    await fixture.put('github.token', 'gh\n');
    await fixture.put('smtp', { user: 'app', password: 'p' });
    await fixture.put('empty', {});
    // It belongs to the file system and is not a document without keys.
    await fixture.put('lost+found', {});
    expect(await listed()).toEqual(['empty', 'github.token', 'smtp']);
    expect(await textAt('github.token')).toEqual({ value: 'gh\n' });
    expect(await textAt('smtp')).toEqual({ user: 'app', password: 'p' });
    expect(await textAt('empty')).toEqual({});

    await driver.write(aDocument('one', { value: 'v' }), 'absent', permitted(signal));
    await driver.write(aDocument('other', { token: 'v' }), 'absent', permitted(signal));
    expect(await fixture.text('one')).toBe('v');
    expect(await fixture.text('other', 'token')).toBe('v');
  });

  it('have rights for their owner only when they are new, whatever the umask is', async () => {
    const before = process.umask(0);
    try {
      await driver.write(aDocument('file', { value: 'v' }), 'absent', permitted(signal));
      await driver.write(aDocument('folder', { a: 'v' }), 'absent', permitted(signal));
    } finally {
      process.umask(before);
    }
    const modes = ['file', 'folder', 'folder/a'].map(
      async (name) => (await stat(fixture.path(name))).mode & 0o777,
    );
    expect(await Promise.all(modes)).toEqual([0o600, 0o700, 0o600]);
  });

  it('leave nothing else behind after they were written, replaced and removed', async () => {
    for (const fields of [{ value: 'v' }, { a: 'v', b: 'w' }]) {
      const first = await driver.write(aDocument('x', fields), 'absent', permitted(signal));
      const second = await driver.write(aDocument('x', { value: 'new' }), first, permitted(signal));
      const third = await driver.write(aDocument('x', { c: 'newer' }), second, permitted(signal));
      expect(await fixture.names()).toEqual(['x']);
      await driver.delete('x', third, permitted(signal));
      expect(await fixture.names()).toEqual([]);
    }
  });

  it('are refused if they are too large, and are not kept in memory', async () => {
    await fixture.put('large', Buffer.alloc(1_048_578));
    expect((await failureOf(driver.read('large', signal))).message).toContain('1048576 bytes');
    await fixture.put('many', {});
    for (let index = 0; index <= 4096; index += 1) await writeFile(fixture.path('many', `f${index}`), '');
    expect((await failureOf(driver.read('many', signal))).message).toContain('4096 keys');
  });

  it.each<[string, Attributes, string]>([
    ['a type', { type: 'kubernetes.io/basic-auth' }, 'TypeRefused'],
    ['immutability', { immutable: true }, 'NotRepresentable'],
    ['an end', { expiresAt: '2030-01-01T00:00:00Z' }, 'ExpiryRefused'],
    ['labels', { metadata: new Map([['team', 'payments']]) }, 'NotRepresentable'],
    ['annotations', { annotations: new Map([['note', 'x']]) }, 'NotRepresentable'],
  ])('refuse %s, which they cannot store', async (_what, attributes, reason) => {
    const document = aDocument('x', { a: 'b' }, attributes);
    expect(driver.refusalOf(document)?.reason).toBe(reason);
    expect(await codeOf(driver.write(document, 'absent', permitted(signal)))).toBe('DOCUMENT_REFUSED');
    expect(await fixture.names()).toEqual([]);
  });

  it.each([['.'], ['..data'], ['a/b'], [''], ['x'.repeat(256)]])('refuse the key %j', (field) => {
    expect(driver.refusalOf(aDocument('x', { [field]: 'v', b: 'w' }))?.reason).toBe('KeyRefused');
  });
});

describe('links', () => {
  /** Creates links as the kubelet does for a mounted Secret. */
  async function mountLikeKubernetes(text: string): Promise<void> {
    const generation = `..${text}`;
    await fixture.put(generation, { token: text });
    await symlink(generation, fixture.path('..data_tmp'));
    await rename(fixture.path('..data_tmp'), fixture.path('..data'));
  }

  it('that stay in the folder are read, and followed to a new target later', async () => {
    await mountLikeKubernetes('old');
    await symlink('..data/token', fixture.path('token'));
    expect(await listed()).toEqual(['token']);
    const before = presentIn(await driver.read('token', signal));
    expect(await textAt('token')).toEqual({ value: 'old' });
    await mountLikeKubernetes('new');
    const after = presentIn(await driver.read('token', signal));
    expect(await textAt('token')).toEqual({ value: 'new' });
    expect(after.version).not.toEqual(before.version);
  });

  it('are never overwritten, removed or backed up', async () => {
    await fixture.put('real', 'v');
    await symlink('real', fixture.path('link'));
    await fixture.put('folder', { a: 'v' });
    await symlink('../real', fixture.path('folder', 'b'));
    for (const address of ['link', 'folder']) {
      const version = await versionAt(address);
      const changes = await fixture.changesDuring(async () => {
        expect(
          await codeOf(driver.write(aDocument(address, { value: 'w' }), version, permitted(signal))),
        ).toBe('DOCUMENT_REFUSED');
        expect(await codeOf(driver.delete(address, version, permitted(signal)))).toBe('DOCUMENT_REFUSED');
        expect(await codeOf(driver.backups!.retire(address, version, permitted(signal)))).toBe(
          'DOCUMENT_REFUSED',
        );
        expect(
          await codeOf(driver.write(aDocument(address, { value: 'w' }), 'absent', permitted(signal))),
        ).toBe('ALREADY_EXISTS');
      });
      // A temporary file is created and removed; only the time of the folder changes.
      expect(changes.filter((change) => !change.startsWith('team/tokens '))).toEqual([]);
    }
  });

  it('that lead out are refused, also inside a folder, and other documents are still read', async () => {
    const outside = join(fixture.root, 'other-team');
    await mkdir(outside, { mode: 0o700 });
    await writeFile(join(outside, 'token'), 'of the others');
    await fixture.put('own', 'v');
    await symlink(join(outside, 'token'), fixture.path('file'));
    await symlink('../../other-team', fixture.path('dir'));
    await symlink('nowhere', fixture.path('dangling'));
    await symlink('/dev/null', fixture.path('device'));
    await symlink('loop', fixture.path('loop'));
    await fixture.put('folder', {});
    await symlink(join(outside, 'token'), fixture.path('folder', 'token'));
    const outcomes = await collect(driver.readMany(await listed(), signal));
    const said = outcomes.map((outcome) => [
      outcome.address,
      'error' in outcome ? errorOf(outcome.error).message : outcome.result.state,
    ]);
    // One message for all: it must not tell what exists elsewhere.
    const elsewhere = expect.stringContaining(
      'a symbolic link that does not lead to a file or folder in this folder',
    );
    expect(Object.fromEntries(said)).toEqual({
      own: 'present',
      file: elsewhere,
      dir: elsewhere,
      folder: elsewhere,
      dangling: elsewhere,
      device: elsewhere,
      loop: elsewhere,
    });
    expect(new Set(said.map(([, message]) => message)).size).toBe(2);
  });

  it.each(['team', 'team/tokens'])('are not followed to another folder: %s', async (place) => {
    const elsewhere = join(fixture.root, 'elsewhere');
    await mkdir(join(elsewhere, 'tokens'), { recursive: true, mode: 0o700 });
    await rm(join(fixture.root, place), { recursive: true });
    await symlink(place === 'team' ? elsewhere : join(elsewhere, 'tokens'), join(fixture.root, place));
    const failure = await failureOf(driver.probe(signal));
    expect(failure).toMatchObject({ code: 'FOLDER_MISSING', target: join(fixture.root, place) });
    expect(await codeOf(driver.read('a', signal))).toBe('FOLDER_MISSING');
  });
});

describe('a file with a second name (a hard link)', () => {
  it('is refused, as a document and inside of one, because the other name can be of another tenant', async () => {
    const outside = join(fixture.root, 'other-team');
    await mkdir(outside, { mode: 0o700 });
    await writeFile(join(outside, 'token'), 'of the others');
    await fixture.put('own', 'v');
    await link(join(outside, 'token'), fixture.path('stolen'));
    await link(join(outside, 'token'), fixture.path('.stolen.keyferry-0123456789ab'));
    await fixture.put('folder', {});
    await link(join(outside, 'token'), fixture.path('folder', 'key'));
    const outcomes = await collect(driver.readMany(await listed(), signal));
    const said = outcomes.map((outcome) => [
      outcome.address,
      'error' in outcome ? errorOf(outcome.error).message : outcome.result.state,
    ]);
    const refused = expect.stringContaining('another name (a hard link)');
    expect(Object.fromEntries(said)).toEqual({ own: 'present', stolen: refused, folder: refused });
  });

  it('is read if Keyferry gave it that name: a crash came between the link and the unlink of a change', async () => {
    await fixture.put('x', 'v');
    expect(await textAt('x')).toEqual({ value: 'v' });
    // After the recovery of the first operation, as by another replica that dies.
    await link(fixture.path('x'), fixture.path('.x.keyferry-0123456789ab'));
    expect(await textAt('x')).toEqual({ value: 'v' });
    await listed();
    expect(await fixture.names()).toEqual(['x']);
  });
});

describe('one document that cannot be read', () => {
  it('is an error of that document, and the others are listed and read', async () => {
    await fixture.put('good', 'v');
    await fixture.put('closed', 'v');
    await chmod(fixture.path('closed'), 0);
    await symlink('loop-2', fixture.path('loop-1'));
    await symlink('loop-1', fixture.path('loop-2'));
    await fixture.put('nested', {});
    await mkdir(fixture.path('nested', 'deeper'));
    const addresses = ['closed', 'good', 'loop-1', 'loop-2', 'nested'];
    expect(await listed()).toEqual(addresses);
    // Root may read every file, unless it acts as another user.
    const owner = fixture.asOwner(driver);
    const outcomes = await collect(owner.readMany(addresses, signal));
    const codes = outcomes.map((each) => [each.address, 'error' in each ? errorOf(each.error).code : 'good']);
    expect(Object.fromEntries(codes)).toEqual({
      closed: 'AUTH_DENIED',
      good: 'good',
      'loop-1': 'DOCUMENT_REFUSED',
      'loop-2': 'DOCUMENT_REFUSED',
      nested: 'DOCUMENT_REFUSED',
    });
  });

  it('because its claim cannot be rolled back is never absent, and the others are listed and read', async () => {
    await fixture.put('good', 'v');
    await fixture.put('.x.keyferry-aside-0123456789ab', 'claimed');
    await chmod(fixture.path(), 0o500);
    const owner = fixture.asOwner(driver);
    const problem = expect.objectContaining({ code: 'AUTH_DENIED', target: 'x' });
    expect(await collect(owner.list({ folder: '' }, signal))).toEqual([
      { address: 'good' },
      { address: 'x', problem },
    ]);
    expect(await codeOf(owner.read('x', signal))).toBe('AUTH_DENIED');
    expect(await codeOf(owner.write(aDocument('x', { value: 'new' }), 'absent', permitted(signal)))).toBe(
      'AUTH_DENIED',
    );
    expect(presentIn(await owner.read('good', signal)).fields.size).toBe(1);
    await chmod(fixture.path(), 0o700);
    expect(await textAt('x')).toEqual({ value: 'claimed' });
  });
});

describe('something that is neither a file nor a folder', () => {
  it('is refused at once, and other documents are still read', async () => {
    await fixture.put('own', 'v');
    execFileSync('mkfifo', [fixture.path('fifo')]);
    await symlink('fifo', fixture.path('link-to-fifo'));
    await mkdir(fixture.path('deep', 'er'), { recursive: true });
    await fixture.put('with-fifo', {});
    execFileSync('mkfifo', [fixture.path('with-fifo', 'a')]);
    const outcomes = await collect(driver.readMany(await listed(), AbortSignal.timeout(10_000)));
    const codes = outcomes.map((outcome) => [
      outcome.address,
      'error' in outcome ? errorOf(outcome.error).code : outcome.result.state,
    ]);
    expect(Object.fromEntries(codes)).toEqual({
      own: 'present',
      fifo: 'DOCUMENT_REFUSED',
      'link-to-fifo': 'DOCUMENT_REFUSED',
      deep: 'DOCUMENT_REFUSED',
      'with-fifo': 'DOCUMENT_REFUSED',
    });
  });
});

it('a pipe is never opened, not even through a link: a program that waits for a reader goes on waiting', async () => {
  execFileSync('mkfifo', [fixture.path('.fifo')]);
  await symlink('.fifo', fixture.path('link'));
  const writer = spawn('sh', ['-c', 'echo waiting; echo value > "$0"', fixture.path('.fifo')]);
  try {
    await once(writer.stdout, 'data');
    // An opened pipe would end the writer during one of these reads.
    for (let reads = 0; reads < 20; reads += 1) {
      expect(await codeOf(driver.read('link', signal))).toBe('DOCUMENT_REFUSED');
    }
    expect(writer.exitCode ?? writer.signalCode).toBeNull();
  } finally {
    writer.kill('SIGKILL');
  }
});

describe('a folder with permissions for other users', () => {
  it.each(['.', 'team', 'team/tokens'])('is refused with the chmod to run: %s', async (place) => {
    await fixture.put('a', 'v');
    const path = join(fixture.root, place);
    await chmod(path, 0o701);
    const failure = await failureOf(driver.probe(signal));
    expect(failure.code).toBe('FOLDER_EXPOSED');
    expect(failure.hint).toContain(`chmod o-rwx ${path}`);
    // Not only by the probe: the driver reads nothing from it and writes nothing to it.
    expect(await codeOf(driver.read('a', signal))).toBe('FOLDER_EXPOSED');
    expect(await codeOf(driver.write(aDocument('b', { value: 'v' }), 'absent', permitted(signal)))).toBe(
      'FOLDER_EXPOSED',
    );
    expect(await fixture.names()).toEqual(['a']);

    const allowed = fixture.driver({ allowWorldReadable: true });
    expect((await allowed.probe(signal)).capabilities).toEqual(['ConditionalWrite']);
    expect(await textAt('a', allowed)).toEqual({ value: 'v' });
    execFileSync('chmod', ['o-rwx', path]);
    expect(await textAt('a')).toEqual({ value: 'v' });
  });
});

describe('the factory', () => {
  const directory = { trailingNewline: 'Keep', allowWorldReadable: false } as const;

  function definitionIn(tenant: string | undefined) {
    const title = `SecretBackend ${tenant}/b`;
    return {
      title,
      spec: { type: 'directory', directory },
      backend: { kind: 'SecretBackend', namespace: 'n', name: 'b' },
      credentialsNamespace: 'n',
      tenant,
    } as const;
  }

  it('names the flag that the operator needs', () => {
    const factory = new DirectoryFactory({ root: undefined, clock: systemClock, random: Math.random });
    const create = () => factory.create(definitionIn('n'));
    expect(create).toThrow(
      expect.objectContaining({
        code: 'FLAG_MISSING',
        message: expect.stringContaining(' --directory-root '),
      }),
    );
  });

  it('places every backend below the folder of its own namespace', async () => {
    const factory = new DirectoryFactory({ root: fixture.root, clock: systemClock, random: Math.random });
    await writeFile(join(fixture.root, 'team', 'mine'), 'v', { mode: 0o600 });
    const own = factory.create(definitionIn('team'));
    expect((await collect(own.list({ folder: '' }, signal))).map(({ address }) => address)).toEqual([
      'mine',
      'tokens',
    ]);
    const stranger = factory.create(definitionIn('strangers'));
    expect(await codeOf(stranger.read('mine', signal))).toBe('FOLDER_MISSING');
  });
});

describe('the factory, for a backend of many namespaces,', () => {
  it('makes a driver to probe the whole, and one for the folder of each namespace', async () => {
    const factory = new DirectoryFactory({ root: fixture.root, clock: systemClock, random: Math.random });
    const directory = { path: 'tokens', trailingNewline: 'Keep', allowWorldReadable: false } as const;
    const common = {
      title: 'ClusterSecretBackend b',
      backend: { kind: 'ClusterSecretBackend', name: 'b' },
      credentialsNamespace: 'n',
    };
    const spec = { type: 'directory', directory } as const;
    await fixture.put('a', 'v');
    const whole = factory.create({ ...common, spec, tenant: undefined });
    const team = factory.create({ ...common, spec, tenant: 'team' });
    expect((await whole.probe(signal)).identity).not.toBe((await team.probe(signal)).identity);
    expect((await collect(team.list({ folder: '' }, signal))).map(({ address }) => address)).toEqual(['a']);
  });
});

describe('another folder at the same path', () => {
  it('does not count as the old folder without its documents', async () => {
    await driver.probe(signal);
    await fixture.put('a', 'v');
    await rename(fixture.folder, `${fixture.folder}-unmounted`);
    await mkdir(fixture.folder, { mode: 0o700 });
    expect(await codeOf(driver.read('a', signal))).toBe('BACKEND_UNREACHABLE');
    expect(await codeOf(collect(driver.list({ folder: '' }, signal)))).toBe('BACKEND_UNREACHABLE');
    await driver.probe(signal);
    expect(await driver.read('a', signal)).toEqual({ state: 'absent' });
  });
});

describe('the newline at the end', () => {
  it('is or is not part of the value, as the spec says', async () => {
    await fixture.put('a', 'v\n');
    await fixture.put('b', 'v');
    await fixture.put('c', 'v\n\n');
    await fixture.put('d', { x: 'v\n' });
    const strip = fixture.driver({ trailingNewline: 'Strip' });
    expect(await textAt('a')).toEqual({ value: 'v\n' });
    expect(await textAt('a', strip)).toEqual({ value: 'v' });
    expect(await textAt('b', strip)).toEqual({ value: 'v' });
    expect(await textAt('c', strip)).toEqual({ value: 'v\n' });
    expect(await textAt('d', strip)).toEqual({ x: 'v' });
    await strip.write(aDocument('e', { value: 'v' }), 'absent', permitted(signal));
    expect(await fixture.text('e')).toBe('v\n');
  });

  it.each(['Keep', 'Strip'] as const)('does not reduce the largest value: %s', async (trailingNewline) => {
    const policy = fixture.driver({ trailingNewline });
    const document = aDocument('large', { value: Buffer.alloc(1_048_576, '\n') });
    await policy.write(document, 'absent', permitted(signal));
    expect(contentOf(presentIn(await policy.read('large', signal)))).toEqual(contentOf(document));
  });
});
