import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const REQUIREMENTS = join(import.meta.dirname, '..', 'cluster', 'node', 'requirements.ts');

function check(environment: Readonly<Record<string, string>>): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [REQUIREMENTS], {
    env: { ...process.env, ...environment },
    encoding: 'utf8',
  });
  return { status, stderr };
}

it('a machine that can run a node passes without a word', () => {
  expect(check({})).toEqual({ status: 0, stderr: '' });
});

it.each([
  [{ PATH: '/nowhere' }, 'A node needs unshare in PATH: install util-linux, iproute2 and tar.\n'],
  [{ TMPDIR: '/run/build' }, 'A node hides /run from itself: set TMPDIR to a folder elsewhere.\n'],
])('a machine that cannot is told why in one sentence: %o', (environment, sentence) => {
  expect(check(environment)).toEqual({ status: 1, stderr: sentence });
});
