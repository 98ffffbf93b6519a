import { readFileSync } from 'node:fs';

const MINUTE_S = 60;
const FIVE_MINUTES_S = 5 * MINUTE_S;
/** Two in each half. */
const LEAST_SAMPLES = 4;

export interface Sample {
  /** Seconds. */
  readonly at: number;
  readonly mib: number;
}

/** What the memory of one process does after its warm-up. */
export interface Slope {
  readonly identity: string;
  /** Seconds between the first and the last sample that count. */
  readonly spanSeconds: number;
  /** Of the first and of the second half of that time. */
  readonly mibPerFiveMinutes: readonly [number, number];
  /** The smaller one. Memory that is lost grows in both; a burst after a restart moves the mark once, and then it stays. */
  readonly steady: number;
  readonly lastMib: number;
}

/** Resident memory of each replica while it led. */
export class Memory {
  readonly #samples = new Map<string, Sample[]>();

  /** Now, for the process that leads; one that has just ended has none. */
  sample({ identity, pid }: { readonly identity: string; readonly pid: number }): void {
    const mib = residentMib(pid);
    if (mib !== undefined) this.add(identity, { at: performance.now() / 1000, mib });
  }

  add(identity: string, sample: Sample): void {
    const samples = this.#samples.get(identity) ?? [];
    this.#samples.set(identity, samples);
    samples.push(sample);
  }

  get lastMib(): number | undefined {
    return [...this.#samples.values()].at(-1)?.at(-1)?.mib;
  }

  /** Mean of each minute, to see whether growth goes on. */
  minutesOf(identity: string | undefined): readonly string[] {
    const samples = this.#samples.get(identity ?? '') ?? [];
    const start = samples[0]?.at ?? 0;
    const byMinute = Map.groupBy(samples, ({ at }) => Math.floor((at - start) / MINUTE_S));
    return [...byMinute.values()].map((some) => meanMib(some).toFixed(1));
  }

  /** Of the replica that led longest. Undefined if none led longer than the warm-up. */
  slope(warmUpSeconds: number): Slope | undefined {
    const slopes = [...this.#samples].flatMap(([identity, samples]) => {
      const start = (samples[0]?.at ?? 0) + warmUpSeconds;
      const counted = samples.filter(({ at }) => at >= start);
      const [first, last] = [counted[0], counted.at(-1)];
      if (first === undefined || last === undefined || counted.length < LEAST_SAMPLES) return [];
      const middle = Math.floor(counted.length / 2);
      const earlier = leastSquares(counted.slice(0, middle)) * FIVE_MINUTES_S;
      const later = leastSquares(counted.slice(middle)) * FIVE_MINUTES_S;
      return [
        {
          identity,
          spanSeconds: last.at - first.at,
          mibPerFiveMinutes: [earlier, later] as const,
          steady: Math.min(earlier, later),
          lastMib: last.mib,
        },
      ];
    });
    return slopes.toSorted((a, b) => b.spanSeconds - a.spanSeconds)[0];
  }
}

function meanMib(samples: readonly Sample[]): number {
  return samples.reduce((sum, { mib }) => sum + mib, 0) / samples.length;
}

/** MiB a second. */
function leastSquares(samples: readonly Sample[]): number {
  const meanAt = samples.reduce((sum, { at }) => sum + at, 0) / samples.length;
  const mean = meanMib(samples);
  const together = samples.reduce((sum, { at, mib }) => sum + (at - meanAt) * (mib - mean), 0);
  return together / samples.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
}

function residentMib(pid: number): number | undefined {
  try {
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) / 1024;
  } catch {
    return undefined;
  }
}
