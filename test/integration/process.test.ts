import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { SETTINGS } from '#src/config/schema.ts';
import { OPERATOR_BUNDLE } from '#test/support/operator-process.ts';

interface Ended {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program as a user does, with nothing in its environment but what is given. */
async function keyferry(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, ...environment };
  return new Promise((resolve) => {
    execFile(OPERATOR_BUNDLE, args, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

it('keyferry --version prints the version of the package', async () => {
  const manifest = readFileSync(join(dirname(OPERATOR_BUNDLE), '..', 'package.json'), 'utf8');
  const { code, stdout } = await keyferry(['--version']);
  expect(code).toBe(0);
  expect(manifest).toContain(`"version": "${stdout.trim()}"`);
});

it('keyferry operator --help lists every flag and its variable', async () => {
  const { code, stdout } = await keyferry(['operator', '--help']);
  expect(code).toBe(0);
  expect(SETTINGS.length).toBeGreaterThan(10);
  for (const { flag, env } of SETTINGS) {
    expect(stdout).toContain(`--${flag}`);
    expect(stdout).toContain(env);
  }
});

it('names every problem of its configuration at once and ends with 2', async () => {
  const { code, stdout, stderr } = await keyferry(
    ['operator', '--concurent-documents=3', '--log-level=loud'],
    {
      KEYFERRY_LEASE_NAME: 'Not A Name',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
    },
  );
  expect(code).toBe(2);
  expect(stdout).toBe('');
  for (const name of ['--concurent-documents', '--concurrent-documents', 'log-level', 'lease-name']) {
    expect(stderr).toContain(name);
  }
});

it.each([[[]], [['migrate']]])(
  'refuses %j as a command, says what there is, and ends with 2',
  async (args) => {
    const { code, stdout, stderr } = await keyferry(args);
    expect(code).toBe(2);
    expect(stdout + stderr).toContain('operator');
  },
);

it('outside of a cluster and without a kubeconfig says which flag is missing', async () => {
  const { code, stderr, stdout } = await keyferry(['operator']);
  expect(code).toBe(2);
  expect(stderr + stdout).toContain('--kubeconfig');
});

it('has a first line that Linux reads whole, with the flags that keep a debugger and code from text out', () => {
  const [line = ''] = readFileSync(OPERATOR_BUNDLE, 'utf8').split('\n');
  // BINPRM_BUF_SIZE: the rest would be cut off.
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(255);
  for (const flag of [
    '--disable-sigusr1',
    '--disable-proto=delete',
    '--disallow-code-generation-from-strings',
  ]) {
    expect(line.split(' ')).toContain(flag);
  }
});
