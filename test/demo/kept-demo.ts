import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const RECORD = join(import.meta.dirname, '..', '..', '.demo', 'cluster-folder');

/** Folder of the cluster that `make demo KEEP=1` kept running; undefined if there is none. */
export function readKeptDemo(): string | undefined {
  if (!existsSync(RECORD)) return undefined;
  const folder = readFileSync(RECORD, 'utf8');
  return existsSync(folder) ? folder : undefined;
}

export function recordKeptDemo(folder: string): void {
  mkdirSync(join(RECORD, '..'), { recursive: true });
  writeFileSync(RECORD, folder);
}

export function forgetKeptDemo(): void {
  rmSync(RECORD, { force: true });
}
