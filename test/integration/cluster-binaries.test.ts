import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findBinaries } from '#test/cluster/binaries.ts';
import { findNodeBinaries } from '#test/cluster/node/node-tools.ts';
import { readTools } from '#test/cluster/tools.ts';

let folder: string;
let environment: Record<string, string>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-binaries-'));
  mkdirSync(join(folder, 'path'));
  environment = {
    PATH: `${join(folder, 'path')}:/usr/bin:/bin`,
    XDG_CACHE_HOME: join(folder, 'cache'),
    KEYFERRY_DOWNLOAD: 'no',
  };
  // The machine's own programs in /usr/bin must not decide what these tests see.
  for (const tool of Object.values(readTools())) environment[tool.variable] = program(`own-${tool.name}`, '');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a shell script and returns its path. */
function program(name: string, script: string, place = '.'): string {
  const file = join(folder, place, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

function inPath(name: string, script: string): string {
  return program(name, script, 'path');
}

function forget(variable: string): void {
  environment[variable] = '';
}

const cachedEtcd = (): string =>
  join(folder, 'cache', 'keyferry', 'bin', `etcd-v${readTools().etcd.version}`);
const ignore = (): void => undefined;

describe('a program', () => {
  it('is taken from its environment variable before all else', async () => {
    inPath('etcd', 'echo etcd Version: 3.6.0');
    expect((await findBinaries(ignore, environment)).etcd).toBe(join(folder, 'own-etcd'));
  });

  it('whose variable names nothing that runs is an error, not a reason to look further', async () => {
    environment['KEYFERRY_ETCD_BIN'] = '/no/such/etcd';
    await expect(findBinaries(ignore, environment)).rejects.toThrow('KEYFERRY_ETCD_BIN is /no/such/etcd');
  });

  it('is taken from PATH when its version will do', async () => {
    forget('KEYFERRY_ETCD_BIN');
    const found = inPath('etcd', 'echo etcd Version: 3.5.21');
    expect((await findBinaries(ignore, environment)).etcd).toBe(found);
  });

  it('in PATH that is too old is passed over, aloud, for the one in the cache', async () => {
    forget('KEYFERRY_ETCD_BIN');
    const old = inPath('etcd', 'echo etcd Version: 3.4.9');
    mkdirSync(join(folder, 'cache', 'keyferry', 'bin'), { recursive: true });
    writeFileSync(cachedEtcd(), '', { mode: 0o755 });
    const lines: string[] = [];
    const report = (line: string): void => void lines.push(line);
    expect((await findBinaries(report, environment)).etcd).toBe(cachedEtcd());
    expect(lines).toEqual([`${old} is version 3.4.9, needed is 3.5 or newer: not used`]);
  });

  it('called bao makes the cluster run OpenBao; one that calls itself something else does not', async () => {
    inPath('bao', 'echo Vault v1.13.0');
    expect(await findBinaries(ignore, environment)).toMatchObject({ kvProduct: 'vault' });
    const bao = inPath('bao', 'echo OpenBao v2.6.2');
    expect(await findBinaries(ignore, environment)).toMatchObject({ kvProduct: 'openbao', kvServer: bao });
  });
});

describe('a program that is nowhere', () => {
  /** A `go` that records each run and writes the file that it is told to. */
  const FAKE_GO =
    'echo run >>"$GO_RUNS"; while [ "$1" != "-o" ]; do shift; done; sleep 0.3; : >"$2"; chmod +x "$2"';

  beforeEach(() => {
    forget('KEYFERRY_ETCD_BIN');
    environment['GO_RUNS'] = join(folder, 'go-runs');
  });

  it('is built once, also when two ask for it at the same time', async () => {
    inPath('go', FAKE_GO);
    const both = await Promise.all([findBinaries(ignore, environment), findBinaries(ignore, environment)]);
    expect(both.map((binaries) => binaries.etcd)).toEqual([cachedEtcd(), cachedEtcd()]);
    await findBinaries(ignore, environment);
    expect(readFileSync(join(folder, 'go-runs'), 'utf8')).toBe('run\n');
    expect(readdirSync(join(folder, 'cache', 'keyferry', 'bin')), 'no lock, no partial file').toHaveLength(1);
  });

  it('is built although a builder that died has left its lock', async () => {
    inPath('go', FAKE_GO);
    mkdirSync(join(folder, 'cache', 'keyferry', 'bin'), { recursive: true });
    // Above the largest process id that kernels give out.
    writeFileSync(`${cachedEtcd()}.lock`, '99999999');
    await findBinaries(ignore, environment);
    expect(existsSync(cachedEtcd())).toBe(true);
  });

  it('and cannot be built is an error with the last output and the ways out', async () => {
    inPath('go', 'echo "module lookup disabled" >&2; exit 1');
    await expect(findBinaries(ignore, environment)).rejects.toThrow(
      /Building etcd v3[^]*KEYFERRY_ETCD_BIN[^]*module lookup disabled/,
    );
    expect(existsSync(cachedEtcd())).toBe(false);
  });

  it('and is partly C says what else it needs, and the package that has it', async () => {
    environment['KEYFERRY_RUNC_BIN'] = '';
    environment['PATH'] = join(folder, 'path');
    inPath('go', '[ "$CGO_ENABLED" = 1 ] && echo "gcc not found" >&2; exit 1');
    await expect(findNodeBinaries(ignore, environment)).rejects.toThrow(
      /Building runc v1[^]*KEYFERRY_RUNC_BIN[^]*C compiler; `apt-get install runc`[^]*gcc not found/,
    );
  });

  it('without Go on the machine is an error that says what to install', async () => {
    environment['PATH'] = join(folder, 'path');
    await expect(findBinaries(ignore, environment)).rejects.toThrow(/Install Go 1\.26/);
  });
});
