import { execFileSync } from 'node:child_process';
import { chmod, chown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'rolldown';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DirectoryFixture } from '#test/support/directory-fixture.ts';

/*
 * Root is bound by no permission bits, and access(2) checks the real user: where the tests run as root, a process of
 * another user asks. It gets its program on standard input, in one piece: that user may be unable to read the sources.
 */

const NOBODY = 65_534;
const Messages = z.record(z.string(), z.string());
let program: string;
let fixture: DirectoryFixture;

beforeAll(async () => {
  const input = join(import.meta.dirname, 'print-denied.ts');
  const { output } = await build({ input, platform: 'node', write: false, output: { format: 'esm' } });
  program = output[0].code;
});
beforeEach(async () => {
  fixture = await DirectoryFixture.open();
});
afterEach(() => fixture[Symbol.asyncDispose]());

/** Asks for these verbs on each address; resolves with the message of each address that is refused. */
async function deniedToOwner(
  needs: Readonly<Record<string, readonly string[]>>,
): Promise<Record<string, string>> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    const names = await readdir(fixture.root, { recursive: true });
    for (const name of ['.', ...names]) await chown(join(fixture.root, name), NOBODY, NOBODY);
  }
  const asked = Object.entries(needs).map(([address, verbs]) => ({ address, verbs }));
  const args = ['--input-type=module', '-', fixture.root, JSON.stringify(asked)];
  const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  return Messages.parse(
    JSON.parse(execFileSync(process.execPath, args, { cwd: '/', encoding: 'utf8', input: program, ...user })),
  );
}

describe('rights to a directory', () => {
  it('are those of the folder to create or remove, and those of the file to read', async () => {
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

  it('without write access are enough to read', async () => {
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
