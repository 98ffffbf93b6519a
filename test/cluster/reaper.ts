import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reapCluster } from './reap.ts';

/**
 * The process that outlives the one that started a cluster: it makes the cluster's folder, prints its path, and waits
 * for its standard input to end, which the kernel does for it however the starter dies (exit, Ctrl-C, kill -9). Then it
 * kills what runs below the folder and removes it. The word `keep` on its input lets the cluster live on instead.
 */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const folder = mkdtempSync(join(tmpdir(), 'keyferry-'));
for (const name of ['run', 'log', 'pki', 'data']) mkdirSync(join(folder, name), { mode: 0o700 });
process.stdout.on('error', () => undefined); // The starter may already be dead; the end of input follows.
process.stdout.write(`${folder}\n`);

let words = '';
for await (const chunk of process.stdin) words += String(chunk);
if (words.trim() !== 'keep') await reapCluster(folder);
