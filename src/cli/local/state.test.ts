import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtempDisposable, readdir, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readState, StateFolder, stateFolderOf } from './state.ts';

const OBJECT = {
  apiVersion: 'keyferry.io/v1alpha1',
  kind: 'SecretMigration',
  metadata: { name: 'm', namespace: 'default', uid: 'u', resourceVersion: '1' },
};

/** The number of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('the state of a run without a cluster', () => {
  it('is beside the manifest, or where --state says', () => {
    const migration = { namespace: 'shop', name: 'm' };
    expect(stateFolderOf('/work/ci/m.yaml', migration, undefined)).toBe('/work/ci/.keyferry/shop/m');
    expect(stateFolderOf('/work/ci/m.yaml', migration, '/var/state')).toBe('/var/state');
  });

  it('is read as it was written, and only its owner reads it', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-state-'));
    const path = join(folder.path, 'a', 'b');
    expect(await readState(path)).toEqual([]);
    await using state = await StateFolder.open(path);
    await state.write(OBJECT);
    expect(await readState(path)).toEqual([OBJECT]);
    expect((await stat(path)).mode & 0o77).toBe(0);
    expect((await stat(join(path, 'SecretMigration.m.json'))).mode & 0o77).toBe(0);
  });

  it('is held by one run at a time', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-state-'));
    const first = await StateFolder.open(folder.path);
    await expect(StateFolder.open(folder.path)).rejects.toThrow(
      `The process ${process.pid} on ${hostname()} works on this migration.`,
    );
    await first[Symbol.asyncDispose]();
    await using _second = await StateFolder.open(folder.path);
    expect(await readdir(folder.path)).toEqual(['lock']);
  });

  it('is free again after a run that was killed, also if another process has its number', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-state-'));
    for (const [name, holder] of [
      ['ended', { host: hostname(), pid: await deadPid(), started: '1' }],
      ['number used again', { host: hostname(), pid: process.ppid, started: '1' }],
      ['torn', ''],
    ] as const) {
      const path = join(folder.path, name);
      await mkdir(path);
      await writeFile(join(path, 'lock'), holder === '' ? '' : JSON.stringify(holder));
      await using _state = await StateFolder.open(path);
    }
  });

  it('of another machine counts as held', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-state-'));
    const holder = { host: `${hostname()}-other`, pid: 1, started: '1' };
    await writeFile(join(folder.path, 'lock'), JSON.stringify(holder));
    await expect(StateFolder.open(folder.path)).rejects.toThrow(`remove the file ${folder.path}/lock`);
  });

  it('that another program changed is refused, and says that no value is lost with it', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-state-'));
    await writeFile(join(folder.path, 'SecretMigration.m.json'), '{"metadata":');
    await expect(readState(folder.path)).rejects.toThrow('No value is lost with it.');
  });
});
