import {
  kindOf,
  recordFile,
  type Measure,
  type PerformanceRecord,
} from '#src/generate/performance-record.ts';
import { keyOf } from './findings.ts';

/** A ratio may fall by this part of the recorded one. */
const TOLERANCE = 0.15;
/** Below this many documents what a run does once decides, not the rate. */
const LEAST_DOCUMENTS = 1_000;
/** A request more or less for each hundred documents is a report that was written once more. */
const REQUESTS_SLACK = 0.02;

export interface Compared {
  readonly measure: Measure;
  /** Undefined if the record does not have it. */
  readonly recorded: number | undefined;
  readonly isWorse: boolean;
}

/** Each measure beside the recorded one. Only ratios and requests can be worse: times and bytes are of one machine. */
export function compare(
  measures: readonly Measure[],
  record: PerformanceRecord | undefined,
): readonly Compared[] {
  const recorded = new Map(record?.measures.map((measure) => [keyOf(measure), measure.value]));
  return measures.map((measure) => {
    const before = recorded.get(keyOf(measure));
    const isWorse = before !== undefined && isHeld(measure) && hasFallen(measure, before);
    return { measure, recorded: before, isWorse };
  });
}

function isHeld({ name, size }: Measure): boolean {
  const documents = Number(size);
  return kindOf(name).isOnlyShown !== true && !(documents < LEAST_DOCUMENTS);
}

function hasFallen({ name, value }: Measure, recorded: number): boolean {
  if (kindOf(name).unit === 'requests') return value > recorded / (1 - TOLERANCE) + REQUESTS_SLACK;
  return value < recorded * (1 - TOLERANCE);
}

/** What to tell of the measures that are worse; empty if none is. */
export function complaints(
  compared: readonly Compared[],
  record: PerformanceRecord | undefined,
): readonly string[] {
  const worse = compared.filter(({ isWorse }) => isWorse);
  if (worse.length === 0 || record === undefined) return [];
  return [
    ...worse.map(({ measure, recorded = 0 }) => {
      const { title, unit } = kindOf(measure.name);
      const size = measure.size === undefined ? '' : ` with ${measure.size} documents`;
      const change = `${measure.value} ${unit}, recorded ${recorded}`;
      return `WORSE  ${title}${size}: ${change} (${percent(measure.value / recorded)})`;
    }),
    `The record is ${recordFile(record.server)}, of commit ${record.commit}. Measure again on a quiet machine: ` +
      `make bench PARTS=${partsOf(worse).join(',')}. If the new number is right, record it: make bench RECORD=1`,
  ];
}

/** The parts that measure these. */
function partsOf(worse: readonly Compared[]): readonly string[] {
  const parts = worse.map(({ measure: { name } }) => {
    if (kindOf(name).unit === 'requests') return 'requests';
    if (name === 'push-own-core') return 'own-core';
    return name === 'small' ? 'small' : 'copy';
  });
  return [...new Set(parts)];
}

function percent(ratio: number): string {
  const change = (ratio - 1) * 100;
  return `${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(0)} %`;
}
