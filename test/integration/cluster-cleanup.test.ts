import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startCluster } from '#test/cluster/cluster.ts';
import { reapCluster } from '#test/cluster/reap.ts';
import { SERVER_NAMES } from '#test/cluster/state.ts';
import { eventually } from '#test/support/eventually.ts';
import { processesMentioning } from '#test/support/process-list.ts';

const HOLDER = join(import.meta.dirname, '..', 'support', 'cluster-holder.ts');

let temporary: string;
let holder: ChildProcess | undefined;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'keyferry-cleanup-'));
});

afterEach(() => {
  holder?.kill('SIGKILL');
  rmSync(temporary, { recursive: true, force: true });
});

/** Starts a process that starts a cluster below `temporary`. */
function startHolder(): ChildProcess {
  holder = spawn(process.execPath, [HOLDER], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return holder;
}

async function nothingIsLeft(): Promise<void> {
  await eventually('folder and processes are gone', () => readdirSync(temporary).length === 0);
  expect(processesMentioning(temporary)).toEqual([]);
}

it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
  'a starter that dies of %s leaves no process and no folder',
  async (signal) => {
    const starter = startHolder();
    const [folder]: unknown[] = await once(starter.stdout ?? starter, 'data');
    expect(String(folder)).toContain(temporary);
    expect(processesMentioning(temporary).length).toBeGreaterThanOrEqual(SERVER_NAMES.length);
    starter.kill(signal);
    await nothingIsLeft();
  },
);

it('a starter that just ends leaves no process and no folder', async () => {
  const starter = startHolder();
  await once(starter.stdout ?? starter, 'data');
  starter.stdin?.end();
  const [code]: unknown[] = await once(starter, 'exit');
  expect(code).toBe(0);
  await nothingIsLeft();
});

it('a starter that dies while the servers start leaves no process and no folder', async () => {
  const starter = startHolder();
  await eventually('a server starts', () => processesMentioning(temporary).length > 0, { pollMs: 1 });
  starter.kill('SIGKILL');
  await nothingIsLeft();
});

it('a cluster that is kept outlives its starter until it is reaped', async () => {
  const cluster = await startCluster({ report: () => undefined });
  await cluster.keep();
  await cluster.dispose();
  expect(SERVER_NAMES.filter((name) => !cluster.isRunning(name))).toEqual([]);
  await reapCluster(cluster.folder);
  expect(processesMentioning(cluster.folder)).toEqual([]);
});

it('stopped servers are removed like running ones', async () => {
  const cluster = await startCluster({ report: () => undefined });
  for (const name of SERVER_NAMES) await cluster.pause(name);
  await cluster.dispose();
  expect(processesMentioning(cluster.folder)).toEqual([]);
});
