import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MODULE = join(import.meta.dirname, 'core-dumps.ts');
/** The value is made by the process, so that neither its arguments nor its sources have it. */
const PLANTED = 'a-value-of-a-tenant-'.repeat(3);
const PLANT = `const value = Buffer.from(['a', 'value', 'of', 'a', 'tenant', ''].join('-').repeat(3));`;

/** Where the kernel writes a core file: tests can read it only if that is the folder of the process. */
function writesIntoFolder(): boolean {
  try {
    return /^core[^/|]*$/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim());
  } catch {
    return false;
  }
}

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-core-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Crashes a process with the value in its memory; returns its core dump. */
function coreOf(program: string): Buffer {
  const command = 'ulimit -c unlimited && exec "$0" --input-type=module -e "$1"';
  const args = ['-c', command, process.execPath, `${program}; ${PLANT} process.abort();`];
  const { signal } = spawnSync('sh', args, { cwd: folder, env: { NODE_OPTIONS: '' } });
  expect(signal).toBe('SIGABRT');
  const [file = ''] = readdirSync(folder);
  const core = readFileSync(join(folder, file));
  rmSync(join(folder, file));
  return core;
}

describe.skipIf(!writesIntoFolder())('the core dump of a crash', () => {
  it('has the memory of a process that does nothing about it', { timeout: 20_000 }, () => {
    expect(coreOf('').includes(PLANTED)).toBe(true);
  });

  it('has no memory of this program', () => {
    const core = coreOf(`import { keepMemoryOutOfCoreDumps as keep } from '${MODULE}'; keep()`);
    expect(core.subarray(0, 4).toString('latin1')).toBe('\u007fELF');
    expect(core.includes(PLANTED)).toBe(false);
    expect(core.byteLength).toBeLessThan(1024 * 1024);
  });
});
