import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
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

it('without a command says what there is, and ends with 2', async () => {
  const { code, stdout, stderr } = await keyferry([]);
  expect(code).toBe(2);
  expect(stdout + stderr).toContain('operator');
});

it('refuses a command that there is not, names the one that was meant, and ends with 1 as kubectl', async () => {
  const { code, stdout, stderr } = await keyferry(['migrates']);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain("unknown command 'migrates'");
  expect(stderr).toContain('Did you mean migrate?');
});

it('outside of a cluster and without a kubeconfig says which flag is missing', async () => {
  await using home = await mkdtempDisposable(join(tmpdir(), 'keyferry-home-'));
  const { code, stderr, stdout } = await keyferry(['operator'], { HOME: home.path });
  expect(code).toBe(2);
  expect(stderr + stdout).toContain('--kubeconfig');
});

it('starts itself with the flags that keep a debugger and code from text out', () => {
  const [first, ...lines] = readFileSync(OPERATOR_BUNDLE, 'utf8').split('\n');
  expect(first).toBe('#!/bin/sh');
  const line = lines.find((each) => each.startsWith('exec env ')) ?? '';
  for (const flag of [
    '--disable-sigusr1',
    '--disable-proto=delete',
    '--disallow-code-generation-from-strings',
  ]) {
    expect(line.split(' ')).toContain(flag);
  }
});

/** Runs a file as `node <file>` does, which takes no flags from the file. */
async function runWith(node: string, file: string): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(node, [file, '--version'], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

const TOO_OLD = /^keyferry: this is Node [0-9.]+ \(\/.*\), and [0-9]+\.[0-9]+ or later is needed; .*\n$/;

it('on a Node that is too old says so in one sentence, and which one it is', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-old-node-'));
  const dist = join(folder.path, 'dist');
  await cp(dirname(OPERATOR_BUNDLE), dist, { recursive: true });
  await writeFile(join(folder.path, 'package.json'), '{"type":"module","engines":{"node":">=99.1"}}');
  const { code, stdout, stderr } = await runWith(process.execPath, join(dist, basename(OPERATOR_BUNDLE)));
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(TOO_OLD);
  expect(stderr).toContain('99.1 or later');
});

it('run directly where node is too old, or is not there, says which one is needed and where to get it', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-path-'));
  const nowhere = await keyferry(['--version'], { PATH: folder.path });
  expect(nowhere).toMatchObject({ code: 127, stdout: '' });
  expect(nowhere.stderr).toMatch(/^keyferry: there is no node in PATH; install Node .*nodejs\.org.*\n$/);
  const { engines }: { engines: { node: string } } = JSON.parse(
    readFileSync(join(dirname(OPERATOR_BUNDLE), '..', 'package.json'), 'utf8'),
  );
  expect(nowhere.stderr).toContain(`Node ${/[0-9]+\.[0-9]+/.exec(engines.node)?.[0]} or later`);

  // Like a Node that does not know a flag: it runs a program only without flags.
  const old = join(folder.path, 'node');
  const script = `#!/bin/sh\ncase "$1" in -*) echo "node: bad option: $1" >&2; exit 9;; esac\necho "ran $2"\n`;
  await writeFile(old, script, { mode: 0o755 });
  const { code, stdout, stderr } = await keyferry(['--version'], { PATH: folder.path });
  expect([code, stdout, stderr]).toEqual([0, 'ran --version\n', '']);
});

it('asks for the version before an older Node has to parse the program', async () => {
  const [first = '', ...rest] = readFileSync(OPERATOR_BUNDLE, 'utf8').split('\n');
  const statically = rest.filter((line) => /^(?:import\b(?!\()|export .* from )/.test(line));
  expect(first).toMatch(/^#!/);
  expect(statically).toEqual(['import { readFileSync } from "node:fs";']);
  // Those of the machine: the first in PATH is the one that runs this test.
  const nodes = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  for (const node of new Set(nodes.filter((each) => existsSync(each)))) {
    const directly = await keyferry(['--version'], { PATH: `${dirname(node)}:${process.env['PATH']}` });
    for (const { code, stdout, stderr } of [await runWith(node, OPERATOR_BUNDLE), directly]) {
      if (code === 0) expect(stdout).toMatch(/^[0-9]+\./);
      else expect(stderr).toMatch(TOO_OLD);
    }
  }
});
