import { describe, expect, it } from 'vitest';
import { systemClock } from '#src/runtime/system-clock.ts';
import { fakeTerminal } from '#test/support/fake-terminal.ts';
import { nameOfProgram, runProgram } from './program.ts';
import { tableOf } from './table.ts';

/** Carries out a command line, and keeps what it prints. */
async function run(
  line: string,
  name = 'keyferry',
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const { err, invocation, out } = fakeTerminal({ clock: systemClock });
  const code = await runProgram(line.split(' '), { ...invocation, version: '1.2.3' }, name);
  return { code, out: out(), err: err() };
}

describe('the command line', () => {
  it('shows the examples of a command before its flags', async () => {
    const { code, out } = await run('suspend --help');
    expect(code).toBe(0);
    expect(out.indexOf('keyferry suspend payments')).toBeGreaterThan(0);
    expect(out.indexOf('Examples:')).toBeLessThan(out.indexOf('Flags:'));
  });

  it('is named as the plugin of kubectl where it runs as that', async () => {
    expect(nameOfProgram('/usr/local/bin/kubectl-keyferry')).toBe('kubectl keyferry');
    const { out } = await run('suspend --help', 'kubectl keyferry');
    expect(out).toContain('kubectl keyferry suspend payments');
  });

  it('refuses what is missing or unknown in one line, and fails as kubectl does', async () => {
    expect(await run('suspend')).toEqual({
      code: 1,
      out: '',
      err: "keyferry: missing required argument 'name'\n",
    });
    expect((await run('resumed x')).err).toBe(
      "keyferry: unknown command 'resumed'\n(Did you mean resume?)\n",
    );
  });

  it('does not repeat the value of a flag that it does not know', async () => {
    const { code, err } = await run('backend create bao --password=canary');
    expect(code).toBe(1);
    expect(err).toContain("unknown option '--password'");
    expect(err).not.toContain('canary');
    expect((await run('backend create bao canary')).err).not.toContain('canary');
  });

  it('says where a kubeconfig was looked for', async () => {
    const { code, err } = await run('suspend payments --kubeconfig /nonexistent/config');
    expect(code).toBe(1);
    expect(err).toContain('The kubeconfig file /nonexistent/config does not exist.');
  });
});

describe('a table', () => {
  it('stands in columns as the tables of kubectl, without borders', () => {
    expect(
      tableOf(
        ['NAME', 'READY'],
        [
          ['payments-copy', 'True'],
          ['π', 'False'],
        ],
      ),
    ).toBe(['NAME            READY', 'payments-copy   True', 'π               False'].join('\n'));
  });

  it('has the same columns from the first row to the last of many', () => {
    const rows = Array.from({ length: 1000 }, (_, index) => [`name-${'x'.repeat(index % 7)}`, `${index}`]);
    const lines = tableOf(['NAME', 'NUMBER'], [...rows, ['名前', 'wide']]).split('\n');
    expect(lines).toHaveLength(1002);
    expect(lines.slice(0, 1001).every((line) => line[14] !== ' ' && line.slice(11, 14) === '   ')).toBe(true);
    expect(lines.at(-1)).toBe('名前          wide');
  });
});
