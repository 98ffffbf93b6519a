import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Socket } from 'node:net';

/** The reaper of a cluster as its starter holds it. */
export interface Supervision {
  /** The cluster's temporary folder, readable by this user only. */
  readonly folder: string;
  /** Kills every process of the cluster, removes the folder, and resolves when that is done. */
  end(): Promise<void>;
  /** Lets the cluster outlive this process. From then on only `reapCluster` ends it. */
  keep(): Promise<void>;
}

/** Starts the reaper; from here on nothing of the cluster can outlive this process. */
export async function openSupervision(): Promise<Supervision> {
  const reaper = spawn(process.execPath, [join(import.meta.dirname, 'reaper.ts')], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const folder = await readFolder(reaper);
  reaper.unref();
  // The open pipe must not keep a process alive that is otherwise done: its end is what the reaper waits for.
  if (reaper.stdin instanceof Socket) reaper.stdin.unref();
  const finish = async (word: string): Promise<void> => {
    if (reaper.exitCode !== null || reaper.signalCode !== null) return;
    reaper.ref();
    const exited = once(reaper, 'exit');
    reaper.stdin.end(word);
    await exited;
  };
  return { folder, end: () => finish(''), keep: () => finish('keep') };
}

async function readFolder(reaper: ChildProcess): Promise<string> {
  let output = '';
  for await (const chunk of reaper.stdout ?? []) {
    output += String(chunk);
    if (output.endsWith('\n')) return output.trim();
  }
  throw new Error('the reaper process ended before it made the cluster folder');
}
