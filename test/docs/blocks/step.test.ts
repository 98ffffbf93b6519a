import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Shell } from '../shell.ts';
import { runStep } from '../step.ts';
import { parsePage } from './page.ts';

let folder: string;
let shell: Shell;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-step-'));
  const environment = { PATH: process.env['PATH'] ?? '' };
  shell = new Shell({ folder, scratch: folder, environment });
});
afterEach(() => {
  shell.end();
  rmSync(folder, { recursive: true, force: true });
});

async function run(...lines: readonly string[]): Promise<void> {
  const { steps } = parsePage('docs/page.md', lines.join('\n'));
  const context = { shell, aliases: { 'https://api': 'https://127.0.0.1:1' }, updates: false };
  for (const step of steps) await runStep('docs/page.md', step, context);
}

describe('a page', () => {
  it('passes when each command prints what the page shows', async () => {
    await run('```console', '$ echo one; echo two >&2', 'one', 'two', '$ true', '```');
  });

  it('keeps variables and the working directory from block to block', async () => {
    await run('```sh', 'cd /', 'here=$PWD', '```', '```console', '$ echo "$here $PWD"', '/ /', '```');
  });

  it('has addresses of the harness where it names those of the reader', async () => {
    await run('```console', '$ url=https://api', '$ echo "${url:8:3} $url"', '127 https://api', '```');
  });

  it('fails with the line and a diff when a command prints something else', async () => {
    const ran = run('```console', '$ echo one', 'one', '$ echo two', '2', '```');
    await expect(ran).rejects.toThrow(
      'docs/page.md:4: the output is another one (- page, + output)\n- 2\n+ two',
    );
  });

  it('fails when a command prints nothing and the page shows something', async () => {
    await expect(run('```console', '$ true', 'one', '```')).rejects.toThrow('- one');
  });

  it.each([
    ['a command', ['```console', '$ false', '```']],
    ['a command in the middle of a block', ['```sh', 'false', 'true', '```']],
    ['a command in a pipe', ['```sh', 'false | true', '```']],
    ['a variable that is not set', ['```sh', 'echo "$nothing"', '```']],
  ])('fails when %s fails', async (_what, lines) => {
    await expect(run(...lines)).rejects.toThrow('docs/page.md:2: this ended with exit code 1');
  });

  it('goes on after a command that it says fails, and fails if that one does not', async () => {
    const fails = '<!-- test: fails -->';
    await run(fails, '```console', '$ echo no; false', 'no', '```', '```sh', 'true', '```');
    await expect(run(fails, '```sh', 'true', '```')).rejects.toThrow('the page says that this fails');
  });
});
