/** What a program under measurement prints, one a line. `ms` counts from the start of the process. */
export interface Report {
  readonly at: 'loaded' | 'synced' | 'seen' | 'error' | 'stopped';
  readonly ms: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly name?: string;
}

const MIB = 2 ** 20;

/** Needs --expose-gc: what is garbage does not count. */
export function report(at: Report['at'], name?: string): void {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const line: Report = {
    at,
    ms: performance.now(),
    rssMiB: rss / MIB,
    heapMiB: heapUsed / MIB,
    ...(name === undefined ? {} : { name }),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
