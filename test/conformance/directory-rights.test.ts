import { execFileSync } from 'node:child_process';
import { chmod, chown, cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DirectoryFixture } from '#test/support/directory-fixture.ts';

/*
 * Root is bound by no permission bits, and access(2) asks for the real user: so the question is asked by a process of
 * another user where the tests run as root. It brings its own copy of the sources, which that user may read.
 */

const REPOSITORY = join(import.meta.dirname, '..', '..');
const NOBODY = 65_534;
const Said = z.record(z.string(), z.string());
let fixture: DirectoryFixture;

beforeEach(async () => {
  fixture = await DirectoryFixture.open();
});
afterEach(() => fixture[Symbol.asyncDispose]());

const QUESTION = `
  import { DirectoryFactory } from '#src/backends/directory/factory.ts';
  const [root, needs] = process.argv.slice(1);
  const spec = { type: 'directory', directory: { path: 'tokens', trailingNewline: 'Keep', allowWorldReadable: false } };
  const factory = new DirectoryFactory({ root, clock: { now: () => Date.now() }, random: Math.random });
  const driver = factory.create({ title: 't', spec, credentialsNamespace: 'team', tenant: 'team' });
  const refusals = await driver.denied(JSON.parse(needs), new AbortController().signal);
  console.log(JSON.stringify(Object.fromEntries([...refusals].map(([name, { message }]) => [name, message]))));
`;

/** Address → what is refused, of the verbs that each of them is asked for. */
async function deniedToOwner(
  needs: Readonly<Record<string, readonly string[]>>,
): Promise<Record<string, string>> {
  const code = fixture.path('..', 'code');
  await mkdir(code);
  await cp(join(REPOSITORY, 'src'), join(code, 'src'), { recursive: true });
  await cp(join(REPOSITORY, 'package.json'), join(code, 'package.json'));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    const names = await readdir(fixture.root, { recursive: true });
    for (const name of ['.', ...names]) await chown(join(fixture.root, name), NOBODY, NOBODY);
  }
  const asked = Object.entries(needs).map(([address, verbs]) => ({ address, verbs }));
  const args = ['--input-type=module', '--eval', QUESTION, fixture.root, JSON.stringify(asked)];
  const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  return Said.parse(
    JSON.parse(execFileSync(process.execPath, args, { cwd: code, encoding: 'utf8', ...user })),
  );
}

describe('rights to a directory', () => {
  it('are those of the folder for what is new or goes, and those of a file for what is read', async () => {
    await fixture.put('own', 'v');
    await fixture.put('closed', 'v');
    await chmod(fixture.path('closed'), 0);
    await fixture.put('fixed', { a: 'v' });
    await chmod(fixture.path('fixed'), 0o500);
    const asked = { own: ['read', 'delete'], closed: ['read'], fixed: ['read', 'delete'], fresh: ['create'] };
    expect(await deniedToOwner(asked)).toEqual({
      closed: 'The operator has no permission to read this file.',
      fixed: 'The operator has no permission to change what is in this folder.',
    });
  });

  it('to read only are enough to read', async () => {
    await fixture.put('own', 'v');
    await chmod(fixture.folder, 0o500);
    expect(
      await deniedToOwner({ own: ['read'], gone: ['read'], fresh: ['create'], old: ['read', 'delete'] }),
    ).toEqual({
      fresh: 'The operator has no permission to write to the folder.',
      old: 'The operator has no permission to write to the folder.',
    });
  });
});
