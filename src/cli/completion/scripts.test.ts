import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SCRIPTS } from './scripts.ts';

const folder = mkdtempSync(join(tmpdir(), 'keyferry-completion-'));
const marker = join(folder, 'executed');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A keyferry that prints these lines and writes down how it was called. */
function fakeProgram(...lines: readonly string[]): void {
  const program = join(folder, 'keyferry');
  writeFileSync(join(folder, 'lines'), `${lines.join('\n')}\n`);
  writeFileSync(program, `#!/bin/sh\nprintf '%s|' "$@" > '${folder}/called'\ncat '${folder}/lines'\n`);
  chmodSync(program, 0o755);
  rmSync(marker, { force: true });
}

const PATH = [folder, process.env['PATH'] ?? ''].join(delimiter);

/** The candidates of bash where the cursor is at the end of this line. */
function inBash(line: string): { readonly candidates: readonly string[]; readonly called: string } {
  const words = line.split(/([ =:@])/).filter((word) => word !== ' ' && word !== '');
  if (line.endsWith(' ')) words.push('');
  const script = `${SCRIPTS['bash']}
    COMP_LINE="$1"; COMP_POINT=\${#COMP_LINE}; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
    _keyferry_complete
    for each in "\${COMPREPLY[@]}"; do printf '%s\\n' "$each"; done
    cat '${folder}/called'`;
  const out = execFileSync('bash', ['--norc', '-c', script, 'bash', line, ...words], {
    env: { PATH },
    cwd: folder,
  });
  const lines = out.toString().split('\n');
  return { candidates: lines.slice(0, -1), called: lines.at(-1) ?? '' };
}

describe('the script for bash', () => {
  it('asks with the words that were typed, and offers what is answered', () => {
    fakeProgram('payments', 'prices', ':4');
    const { candidates, called } = inBash('keyferry suspend -n shop p');
    expect(candidates).toEqual(['payments', 'prices']);
    expect(called).toBe('__completeNoDesc|suspend|-n|shop|p|');
    expect(inBash('keyferry suspend ').called).toBe('__completeNoDesc|suspend||');
  });

  it('replaces only what follows an equals sign or a colon, as bash does', () => {
    fakeProgram('--output=json', ':4');
    expect(inBash('keyferry backend list --output=j').candidates).toEqual(['json']);
    expect(inBash('keyferry backend list --output=').candidates).toEqual(['json']);
    fakeProgram('a:bc', ':4');
    expect(inBash('keyferry explain payments a:b').candidates).toEqual(['bc']);
  });

  it('lets files stand where the program leaves them to the shell', () => {
    fakeProgram(':0');
    writeFileSync(join(folder, 'some-file'), '');
    expect(inBash('keyferry backend create x --ca-file some').candidates).toEqual(['some-file']);
    fakeProgram(':4');
    expect(inBash('keyferry suspend some').candidates).toEqual([]);
  });

  it('executes nothing of what was typed or answered', () => {
    fakeProgram(`$(touch ${marker})`, '`touch executed`', ':4');
    inBash(`keyferry suspend $(touch ${marker}) `);
    expect(existsSync(marker)).toBe(false);
  });

  it('can be sourced twice, with all checks of bash on', () => {
    const twice = `set -eu\n${SCRIPTS['bash']}\n${SCRIPTS['bash']}\ncomplete -p keyferry`;
    expect(execFileSync('bash', ['--norc', '-c', twice]).toString()).toContain(
      '-F _keyferry_complete keyferry',
    );
  });
});

/** Shells that parse a script without running it; on a machine without one, only its text is looked at. */
const PARSERS: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  bash: ['bash', '-n'],
  zsh: ['zsh', '-n'],
  fish: ['fish', '--no-execute'],
  powershell: ['pwsh', '-NoProfile', '-File'],
};

describe.each(Object.entries(PARSERS))('the script for %s', (shell, [program, ...args]) => {
  const isThere = spawnSync(program, ['--version']).error === undefined;

  it.skipIf(!isThere)(`is what ${program} parses`, () => {
    const file = join(folder, `script.${shell === 'powershell' ? 'ps1' : shell}`);
    writeFileSync(file, SCRIPTS[shell] ?? '');
    const { status, stderr } = spawnSync(program, [...args, file]);
    expect([status, stderr.toString()]).toEqual([0, '']);
  });

  it('asks the program, evaluates nothing, and closes what it opens', () => {
    const script = SCRIPTS[shell] ?? '';
    expect(script).toContain('__complete');
    expect(script).not.toMatch(/\beval\b|Invoke-Expression|compgen -W/);
    for (const [open, close] of ['()', '{}', '[]']) {
      const count = (character = ''): number => script.split(character).length;
      expect(count(open), `${open}${close}`).toBe(count(close));
    }
    if (!isThere)
      process.stderr.write(`${program} is not installed: its completion was only read, not run\n`);
  });
});
