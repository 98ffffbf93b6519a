import {
  byTable,
  kindOf,
  type Measure,
  type MeasureName,
  type Unit,
} from '#src/generate/performance-record.ts';
import { median } from './statistics.ts';

/** What one round found: a number, or the seconds of Keyferry and of the bare loop. */
export type Sample = number | { readonly ours: number; readonly bare: number };

export interface Failure {
  readonly part: string;
  readonly message: string;
}

/** The samples of a run, and what failed in it. */
export class Findings {
  readonly failures: Failure[] = [];
  readonly #samples = new Map<
    string,
    { readonly name: MeasureName; readonly size?: string; all: Sample[] }
  >();
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void = () => undefined) {
    this.#say = say;
  }

  /** `size`: documents, or a text as the record has it; undefined where it makes no difference. */
  add(name: MeasureName, size: number | string | undefined, sample: Sample): void {
    const text = size === undefined ? undefined : String(size);
    const key = keyOf({ name, size: text });
    const entry = this.#samples.get(key) ?? { name, ...(text === undefined ? {} : { size: text }), all: [] };
    this.#samples.set(key, entry);
    entry.all.push(sample);
    this.#say(`  ${key}: ${described(sample)}`);
  }

  /** Does the work. If it fails, notes that and goes on. */
  async attempt(part: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.failures.push({ part, message });
      this.#say(`  ${part} FAILED: ${message}`);
    }
  }

  /** One for each name and size, in the order of tables; sizes in the order in which they came. */
  measures(): readonly Measure[] {
    const sorted = [...this.#samples.values()].toSorted((a, b) => byTable(a.name, b.name));
    return sorted.map(({ all, ...measure }) => ({
      ...measure,
      ...combined(all, kindOf(measure.name).unit),
    }));
  }
}

/** Identifies a measure: `push 1000`. */
export function keyOf({ name, size }: { readonly name: string; readonly size?: string | undefined }): string {
  return size === undefined ? name : `${name} ${size}`;
}

/**
 * The median of the rounds; of memory the highest. For a share: the median of the shares of each round, because both halves of a
 * round share what else the machine did.
 */
export function combined(samples: readonly Sample[], unit: Unit): Pick<Measure, 'value' | 'seconds'> {
  const pairs = samples.filter((sample) => typeof sample !== 'number');
  const numbers = samples.filter((sample) => typeof sample === 'number');
  if (pairs.length === 0) return { value: rounded(unit === 'MiB' ? Math.max(...numbers) : median(numbers)) };
  return {
    value: rounded(median(pairs.map(({ bare, ours }) => bare / ours))),
    seconds: {
      ours: rounded(median(pairs.map(({ ours }) => ours))),
      bare: rounded(median(pairs.map(({ bare }) => bare))),
    },
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function described(sample: Sample): string {
  if (typeof sample === 'number') return String(rounded(sample));
  const { bare, ours } = sample;
  return `${(bare / ours).toFixed(2)} of bare (${ours.toFixed(2)} s, bare ${bare.toFixed(2)} s)`;
}
