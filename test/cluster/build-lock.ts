import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './processes.ts';

const POLL_MS = 500;

/**
 * Runs `work` while no other process on this machine runs it for the same file; others wait and call `onWait` once.
 * A lock whose holder has died is taken over. Two processes that take over the same dead lock at the same instant may
 * both work: the caller's atomic rename keeps that correct, it only costs time.
 */
export async function withBuildLock<T>(
  lockFile: string,
  onWait: (holder: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(lockFile), { recursive: true });
  let announced = false;
  while (!(await tryCreate(lockFile))) {
    const holder = await readHolder(lockFile);
    if (holder !== undefined && !isAlive(holder)) {
      await rm(lockFile, { force: true });
      continue;
    }
    if (!announced && holder !== undefined) {
      onWait(holder);
      announced = true;
    }
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(lockFile, { force: true });
  }
}

async function tryCreate(lockFile: string): Promise<boolean> {
  try {
    const handle = await open(lockFile, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined while the holder has created the file but not yet written its id, or when the lock has just gone. */
async function readHolder(lockFile: string): Promise<number | undefined> {
  const text = await readFile(lockFile, 'utf8').catch(() => '');
  const holder = Number(text);
  return Number.isInteger(holder) && holder > 0 ? holder : undefined;
}
