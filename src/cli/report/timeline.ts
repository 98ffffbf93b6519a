import { toKubernetesTime } from '#src/schema/meta.ts';
import { OUTCOMES, type EvidenceOutcome, type EvidenceRow } from './evidence.ts';

/*
 * The rows over time: when each key entered the state that it has. Earlier states of a key are not known.
 */

/** A part of the time from the first change to the last one. */
export interface Slot {
  /** RFC 3339: when it begins. */
  readonly from: string;
  /** Keys that entered their state in it. */
  readonly entered: Readonly<Record<EvidenceOutcome, number>>;
  /** Keys that were done by its end. */
  readonly done: number;
}

export interface Timeline {
  /** Length of a slot, as a text: `1 minute`. */
  readonly step: string;
  readonly slots: readonly Slot[];
  /** Rows that say no usable time. */
  readonly withoutTime: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** One second for what took less than a minute, else at least one minute. */
const STEPS: readonly (readonly [ms: number, text: string])[] = [
  [SECOND, '1 second'],
  [MINUTE, '1 minute'],
  [5 * MINUTE, '5 minutes'],
  [15 * MINUTE, '15 minutes'],
  [HOUR, '1 hour'],
  [6 * HOUR, '6 hours'],
  [DAY, '1 day'],
  [7 * DAY, '7 days'],
  [30 * DAY, '30 days'],
];
const MAX_SLOTS = 60;
/** What needs no more work. */
const DONE: ReadonlySet<EvidenceOutcome> = new Set(['migrated', 'adopted', 'migratedOrAdopted', 'skipped']);

/** Undefined without any time. `created`: RFC 3339; a row of another version can say an earlier time, which is none. */
export function timelineOf(rows: readonly EvidenceRow[], created: string | undefined): Timeline | undefined {
  const earliest = created === undefined ? 0 : Date.parse(created);
  const timed = rows.flatMap(({ lastTransitionTime, outcome }) => {
    const ms = Date.parse(lastTransitionTime);
    return ms >= earliest ? [{ ms, outcome }] : [];
  });
  if (timed.length === 0) return undefined;
  const first = timed.reduce((least, { ms }) => Math.min(least, ms), Number.POSITIVE_INFINITY);
  const last = timed.reduce((most, { ms }) => Math.max(most, ms), 0);
  const [stepMs, step] = stepFor(last - first);
  const begin = Math.floor(first / stepMs) * stepMs;
  const entered = Array.from({ length: Math.floor((last - begin) / stepMs) + 1 }, () => noKeys());
  for (const { ms, outcome } of timed) {
    const slot = entered[Math.floor((ms - begin) / stepMs)];
    if (slot !== undefined) slot[outcome] += 1;
  }
  return { step, slots: slotsOf(entered, begin, stepMs), withoutTime: rows.length - timed.length };
}

function stepFor(spanMs: number): readonly [number, string] {
  const fitting = STEPS.find(([ms]) => spanMs / ms < MAX_SLOTS - 1);
  if (fitting !== undefined) return fitting;
  const days = Math.ceil(spanMs / DAY / (MAX_SLOTS - 1));
  return [days * DAY, `${days} days`];
}

function slotsOf(entered: readonly Slot['entered'][], begin: number, stepMs: number): Slot[] {
  let done = 0;
  return entered.map((keys, index) => {
    for (const outcome of DONE) done += keys[outcome];
    return { from: toKubernetesTime(begin + index * stepMs), entered: keys, done };
  });
}

function noKeys(): Record<EvidenceOutcome, number> {
  return { migrated: 0, adopted: 0, migratedOrAdopted: 0, skipped: 0, held: 0, failed: 0, pending: 0 };
}

/** Keys that entered a state in the slot. */
export function enteredIn({ entered }: Slot): number {
  return OUTCOMES.reduce((sum, outcome) => sum + entered[outcome], 0);
}
