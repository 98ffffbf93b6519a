import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { durationText } from '../age.ts';

/** A rate counts what happened in this time: long enough for several writes of the status, short enough to be of now. */
const WINDOW_MS = 30_000;

/** How fast keys become done, from successive looks. */
export class Pace {
  #looks: { readonly done: number; readonly atMs: number }[] = [];

  /** Keys that are done at a time of the own clock. A number that falls begins again: another run. */
  note(done: number, atMs: number): void {
    const last = this.#looks.at(-1);
    if (last !== undefined && done < last.done) this.#looks = [];
    this.#looks.push({ done, atMs });
    // One look before the window stays, so that the window is covered whole.
    while ((this.#looks[1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs - WINDOW_MS) this.#looks.shift();
  }

  /** Keys a second; undefined before the second look. */
  get perSecond(): number | undefined {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)];
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return undefined;
    return ((last.done - first.done) * 1000) / (last.atMs - first.atMs);
  }
}

const DONE: ReadonlySet<KeyRow['state']> = new Set(['Verified', 'Removed', 'Skipped']);

/** The same from one look, as rows say when each key became done; undefined if none did lately. */
export function paceOfRows(rows: readonly KeyRow[], nowMs: number): number | undefined {
  const times = rows.flatMap(({ state, lastTransitionTime }) => {
    const at = DONE.has(state) ? Date.parse(lastTransitionTime) : Number.NaN;
    return at > nowMs - WINDOW_MS && at <= nowMs ? [at] : [];
  });
  if (times.length === 0) return undefined;
  const spanMs = Math.max(1000, nowMs - times.reduce((least, at) => Math.min(least, at)));
  return (times.length * 1000) / spanMs;
}

/** `52/s`, `0.4/s`, or nothing. */
export function rateText(perSecond: number | undefined): string {
  if (perSecond === undefined) return '';
  return `${perSecond >= 10 || perSecond === 0 ? Math.round(perSecond) : perSecond.toFixed(1)}/s`;
}

export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Keys a second, while work remains. */
  readonly perSecond?: number | undefined;
}

/** `600/1000 keys, 60%, 52/s, about 8s left` */
export function progressText({ done, total, perSecond }: Progress): string {
  const percent = total === 0 ? 0 : Math.floor((done * 100) / total);
  const parts = [`${done}/${total} keys`, `${percent}%`];
  if (perSecond !== undefined && done < total) {
    parts.push(rateText(perSecond));
    if (perSecond > 0) parts.push(`about ${durationText(((total - done) * 1000) / perSecond)} left`);
  }
  return parts.join(', ');
}

/** A bar of so many columns; full only when everything is done. */
export function barOf({ done, total }: Progress, width: number): string {
  const filled = total === 0 ? 0 : Math.floor((done * width) / total);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
