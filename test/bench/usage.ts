import { readFileSync, writeFileSync } from 'node:fs';

/* What a process uses, as Linux counts it: proc(5). */

/** USER_HZ: CPU time is counted in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** User and system time of all its threads. */
export function cpuSecondsOf({ pid }: { readonly pid: number }): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '');
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  return ((user ?? 0) + (system ?? 0)) / TICKS_PER_SECOND;
}

export function rssMiBOf(process: { readonly pid: number }): number {
  return memoryOf(process, /VmRSS:\s+(\d+)/);
}

/** The highest since it started, or since `forgetPeak`. */
export function peakMiBOf(process: { readonly pid: number }): number {
  return memoryOf(process, /VmHWM:\s+(\d+)/);
}

/** From now on the peak is that of what follows. */
export function forgetPeak({ pid }: { readonly pid: number }): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function memoryOf({ pid }: { readonly pid: number }, pattern: RegExp): number {
  return Number(pattern.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
