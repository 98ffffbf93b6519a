import { describe, expect, it } from 'vitest';
import { systemClock } from '#src/runtime/system-clock.ts';
import { fakeTerminal } from '#test/support/fake-terminal.ts';
import { runProgram } from '../program.ts';

/** What is offered after these words, of which the last one is the beginning of one; and what the shell shall do. */
async function after(...words: readonly string[]) {
  const env = { KUBECONFIG: '/nonexistent/config' };
  const { err, invocation, out } = fakeTerminal({ clock: systemClock, env });
  const code = await runProgram(['__completeNoDesc', ...words], invocation, 'keyferry');
  const lines = out().trimEnd().split('\n');
  return { code, err: err(), names: lines.slice(0, -1), directive: lines.at(-1) };
}

describe('completion', () => {
  it('offers commands, and those below a command', async () => {
    expect((await after('')).names).toEqual(
      expect.arrayContaining(['suspend', 'resume', 'backend', 'doctor']),
    );
    expect((await after('sus')).names).toEqual(['suspend']);
    expect((await after('backend', 'de')).names).toEqual(['describe', 'delete']);
    expect((await after('backend', 'list', '')).names).toEqual([]);
  });

  it('does not offer what is hidden', async () => {
    expect((await after('backend', 'create', 'x', '--tok')).names).toEqual(['--token-stdin']);
    expect((await after('__')).names).toEqual([]);
  });

  it('offers flags after a dash, each once, except those that can be repeated', async () => {
    expect((await after('backend', 'list', '--')).names).toEqual(
      expect.arrayContaining(['--all-namespaces', '--output', '--namespace', '--context']),
    );
    expect((await after('backend', 'list', '-A', '--all')).names).toEqual([]);
    const repeated = await after('backend', 'create', 'x', '--allow-namespace', 'shop', '--allow');
    expect(repeated.names).toEqual(['--allow-namespace']);
  });

  it('offers the values of a flag, also after an equals sign', async () => {
    expect((await after('backend', 'list', '-o', '')).names).toEqual(['wide', 'yaml', 'json', 'name']);
    expect((await after('backend', 'list', '--output=j')).names).toEqual(['--output=json']);
    expect((await after('completion', 'f')).names).toEqual(['fish']);
  });

  it('knows a value that is written behind its flag, so that the next word is no value', async () => {
    for (const flag of ['-nshop', '-n=shop', '--namespace=shop'])
      expect((await after('backend', flag, 'de')).names).toEqual(['describe', 'delete']);
  });

  it('leaves files to the shell', async () => {
    expect(await after('backend', 'create', 'x', '--ca-file', '')).toMatchObject({
      names: [],
      directive: ':0',
    });
    expect(await after('suspend', '--kubeconfig', '')).toMatchObject({ names: [], directive: ':0' });
  });

  it('is silent about all that fails', async () => {
    const quiet = { code: 0, err: '', names: [], directive: ':4' };
    expect(await after('suspend', '')).toEqual(quiet);
    expect(await after('backend', 'test', '')).toEqual(quiet);
    expect(await after('suspend', '--context', '')).toEqual(quiet);
    expect(await after('unknown', 'words', '--flag', '')).toMatchObject({ code: 0, err: '' });
  });
});
