import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-make-'));
  // Without node_modules, as on a machine that the packages with Node are not for.
  copyFileSync(join(import.meta.dirname, '../../Makefile'), join(folder, 'Makefile'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What `make` says on a machine of this system whose PATH begins with a Node of this version. */
function make(system: string, node: string, ...args: readonly string[]) {
  writeFileSync(join(folder, 'uname'), `#!/bin/sh\necho ${system}\n`, { mode: 0o755 });
  writeFileSync(join(folder, 'node'), `#!/bin/sh\necho ${node}\n`, { mode: 0o755 });
  const environment = { PATH: `${folder}:/usr/bin:/bin` };
  return spawnSync('make', ['-n', ...args], { cwd: folder, env: environment, encoding: 'utf8' });
}

describe('make on macOS', () => {
  it('says which Node it needs, which one PATH has, and how to get the right one', () => {
    const { status, stderr } = make('Darwin', 'v22.1.0', 'generate');
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/needs Node 24\.12[^]*PATH has v22\.1\.0[^]*brew install node@24/);
  });

  it('goes on with Node 24 in PATH, and lists its targets with any', () => {
    expect(make('Darwin', 'v24.21.0', 'generate').stderr).not.toContain('needs Node');
    expect(make('Darwin', 'v22.1.0', 'help')).toMatchObject({ status: 0 });
  });
});

describe('make on Linux', () => {
  it('asks for no Node in PATH, because npm brings it', () => {
    expect(make('Linux', 'v18.0.0', 'generate').stderr).not.toContain('needs Node');
  });
});

describe('make run', () => {
  it('passes its flags on, quoted as they are, and leaves the choice of the cluster to the operator', () => {
    const bundle = 'dist/keyferry.js';
    const flags = `--context 'my dev' --log-level debug`;
    const sources = ['package.json', 'package-lock.json', 'rolldown.config.ts', 'src/launch.sh'];
    mkdirSync(join(folder, 'src'));
    for (const name of sources) writeFileSync(join(folder, name), '');
    const run = (...args: readonly string[]) => make('Linux', 'v24.21.0', 'run', ...args);
    const lastLine = (text: string) => text.trim().split('\n').at(-1);
    expect(lastLine(run(`ARGS=${flags}`).stdout)).toBe(`${bundle} operator ${flags}`);
    expect(lastLine(run().stdout)?.trim()).toBe(`${bundle} operator`);
  });
});
