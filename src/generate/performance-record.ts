import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '#src/json/parse.ts';

/*
 * What `make bench` measures, and what a record of it holds. test/bench writes records; the page and the drawings are made of
 * them.
 */

export type Unit = 'of bare' | 'requests' | 'MiB' | 's' | 'ms' | '% of a core';

export interface MeasureKind {
  readonly title: string;
  readonly unit: Unit;
  /** The target: a value below it is not met. */
  readonly atLeast?: number;
  /** The target: a value above it is not met. */
  readonly atMost?: number;
  /** Too noisy, or of one machine: it is shown and never makes `make bench` fail. */
  readonly isOnlyShown?: true;
}

const RSS = { unit: 'MiB', atMost: 130, isOnlyShown: true } as const;
const LATENCY = { isOnlyShown: true } as const;

/** Every measure by its name, in the order of tables. `of bare`: the share of the rate of a loop without any logic. */
export const MEASURES = {
  push: { title: 'Secrets → KV', unit: 'of bare', atLeast: 0.8 },
  'push-own-core': { title: 'Secrets → KV, on a core of its own', unit: 'of bare', atLeast: 0.95 },
  'push-again': { title: 'Secrets → KV again, unchanged', unit: 'of bare', atLeast: 0.8 },
  removal: { title: 'removal of the Secrets', unit: 'of bare', atLeast: 0.7 },
  pull: { title: 'KV → Secrets', unit: 'of bare', atLeast: 0.7 },
  'pull-again': { title: 'KV → Secrets again, unchanged', unit: 'of bare', atLeast: 0.8 },
  small: { title: 'small migrations', unit: 'of bare', atLeast: 0.6 },
  'start-empty': { title: 'start to ready, empty', unit: 'of bare', isOnlyShown: true },
  'start-many': { title: 'start to ready, with done migrations', unit: 'of bare', isOnlyShown: true },
  'start-empty-s': { title: 'start to ready, empty', unit: 's', atMost: 0.4, isOnlyShown: true },
  'start-many-s': {
    title: 'start to ready, with done migrations',
    unit: 's',
    atMost: 0.5,
    isOnlyShown: true,
  },
  'idle-cpu': {
    title: 'idle, with done migrations: CPU',
    unit: '% of a core',
    atMost: 0.5,
    isOnlyShown: true,
  },
  'idle-rss': { title: 'idle, with done migrations: RSS', ...RSS },
  'secret-p50': { title: 'rotation Secret → KV, p50', unit: 'of bare', ...LATENCY },
  'secret-p99': { title: 'rotation Secret → KV, p99', unit: 'of bare', ...LATENCY },
  'path-p50': { title: 'rotation KV → Secret, p50', unit: 'ms', ...LATENCY },
  'path-p99': { title: 'rotation KV → Secret, p99', unit: 'ms', ...LATENCY },
  'push-rss': { title: 'Secrets → KV: peak RSS', ...RSS },
  'push-again-rss': { title: 'Secrets → KV again: peak RSS', ...RSS },
  'removal-rss': { title: 'removal: peak RSS', ...RSS },
  'pull-rss': { title: 'KV → Secrets: peak RSS', ...RSS },
  'pull-again-rss': { title: 'KV → Secrets again: peak RSS', ...RSS },
  'small-rss': { title: 'small migrations: peak RSS', ...RSS },
  'many-rss': { title: 'until these migrations are done: peak RSS', ...RSS },
  'secret-rss': { title: 'rotation Secret → KV: peak RSS', ...RSS },
  'path-rss': { title: 'rotation KV → Secret: peak RSS', ...RSS },
  'push-kv': { title: 'Secrets → KV: KV requests per document', unit: 'requests', atMost: 2 },
  'push-typed-kv': {
    title: 'Secrets → KV, typed and binary: KV requests per document',
    unit: 'requests',
    atMost: 3,
  },
  'push-api': { title: 'Secrets → KV: API requests per document', unit: 'requests', atMost: 0.02 },
  'push-again-kv': { title: 'Secrets → KV again: KV requests per document', unit: 'requests', atMost: 1 },
  'push-again-api': {
    title: 'Secrets → KV again: API requests per document',
    unit: 'requests',
    atMost: 0.02,
  },
  'removal-kv': { title: 'removal: KV requests per document', unit: 'requests' },
  'removal-api': { title: 'removal: API requests per document', unit: 'requests' },
  'pull-kv': { title: 'KV → Secrets: KV requests per document', unit: 'requests', atMost: 1 },
  'pull-api': { title: 'KV → Secrets: API requests per document', unit: 'requests', atMost: 1.02 },
  'pull-again-kv': { title: 'KV → Secrets again: KV requests per document', unit: 'requests', atMost: 1 },
  'pull-again-api': {
    title: 'KV → Secrets again: API requests per document',
    unit: 'requests',
    atMost: 0.02,
  },
} as const satisfies Readonly<Record<string, MeasureKind>>;

export type MeasureName = keyof typeof MEASURES;

const NAMES: readonly string[] = Object.keys(MEASURES);

/** Whether it is the name of a measure. */
export function isMeasureName(name: string): name is MeasureName {
  return NAMES.includes(name);
}

/** Sorts names as tables show them. */
export function byTable(a: MeasureName, b: MeasureName): number {
  return NAMES.indexOf(a) - NAMES.indexOf(b);
}

/** What a measure is. */
export function kindOf(name: MeasureName): MeasureKind {
  return MEASURES[name];
}

const Measure = z.strictObject({
  name: z.string().refine(isMeasureName),
  /** Documents: `1000`, or `200 × 20` for 200 migrations of 20, each with two backends of its own. Absent where it makes no difference. */
  size: z.string().optional(),
  value: z.number(),
  /** What a share is made of, in seconds: median of the rounds. */
  seconds: z.strictObject({ ours: z.number(), bare: z.number() }).optional(),
});
export type Measure = z.output<typeof Measure>;

const PerformanceRecord = z.strictObject({
  /** `openbao` or `vault`: the name of its file. */
  server: z.enum(['openbao', 'vault']),
  recordedAt: z.string(),
  /** Of the sources that were measured; ends with `-dirty` if files differed from it. */
  commit: z.string(),
  machine: z.strictObject({ cores: z.int(), model: z.string(), memoryGiB: z.number(), system: z.string() }),
  versions: z.strictObject({
    keyferry: z.string(),
    server: z.string(),
    kubernetes: z.string(),
    node: z.string(),
  }),
  measures: z.array(Measure),
});
export type PerformanceRecord = z.output<typeof PerformanceRecord>;
export type Server = PerformanceRecord['server'];

export const SERVER_NAMES: Readonly<Record<Server, string>> = { openbao: 'OpenBao', vault: 'Vault' };

/** Of the record, below the root of the project. */
export function recordFile(server: Server): string {
  return `docs/performance/${server}.json`;
}

/** The record of this server; undefined if there is none yet. Throws if the file is not a record. */
export function readRecord(root: string, server: Server): PerformanceRecord | undefined {
  let text: string;
  try {
    text = readFileSync(join(root, recordFile(server)), 'utf8');
  } catch {
    return undefined;
  }
  return PerformanceRecord.parse(parseJson(text));
}

/** As it is committed. */
export function recordText(record: PerformanceRecord): string {
  return `${JSON.stringify(PerformanceRecord.parse(record), undefined, 2)}\n`;
}

/** Whether a value is what the target asks for; undefined without a target. */
export function isMet({ name, value }: Measure): boolean | undefined {
  const { atLeast, atMost } = kindOf(name);
  if (atLeast !== undefined) return value >= atLeast;
  return atMost === undefined ? undefined : value <= atMost;
}

/** `≥ 0.80`; empty without a target. */
export function targetOf(name: MeasureName): string {
  const { atLeast, atMost, unit } = kindOf(name);
  if (atLeast !== undefined) return `≥ ${shown(atLeast, unit)}`;
  return atMost === undefined ? '' : `≤ ${shown(atMost, unit)}`;
}

/** A value with as many digits as mean something. */
export function shown(value: number, unit: Unit): string {
  const digits = { 'of bare': 2, requests: 3, MiB: 0, s: 2, ms: 0, '% of a core': 2 }[unit];
  return value.toFixed(digits);
}

/** A value with its unit, for a table. */
export function shownMeasure({ name, value }: Measure): string {
  const { unit } = kindOf(name);
  return unit === 'of bare' || unit === 'requests' ? shown(value, unit) : `${shown(value, unit)} ${unit}`;
}

/** What a share is made of: `3.1 s, bare 2.6 s`. */
export function madeOf({ seconds }: Measure): string {
  if (seconds === undefined) return '';
  return `${inSeconds(seconds.ours)}, bare ${inSeconds(seconds.bare)}`;
}

function inSeconds(seconds: number): string {
  return seconds < 1 ? `${(seconds * 1000).toFixed(0)} ms` : `${seconds.toFixed(1)} s`;
}
