import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { ageOf } from '../age.ts';
import { printable, type Color, type Output } from '../output.ts';
import { tableOf } from '../table.ts';
import type { Filter } from './flags.ts';

type State = KeyRow['state'];

/** What needs a person first, then what is not done, then what is. */
const ORDER: readonly State[] = ['Failed', 'Conflict', 'Copied', 'Pending', 'Skipped', 'Verified', 'Removed'];

const COLORS: Readonly<Partial<Record<State, Color>>> = {
  Failed: 'red',
  Conflict: 'red',
  Copied: 'yellow',
  Pending: 'yellow',
  Verified: 'green',
  Removed: 'green',
};

/** Exceptions first; in a state, a proven row whose source is still held comes before the others. */
export function exceptionsFirst(rows: readonly KeyRow[]): readonly KeyRow[] {
  const rank = ({ reason, state }: KeyRow): number =>
    2 * ORDER.indexOf(state) + (reason === undefined ? 1 : 0);
  return rows.toSorted((left, right) => rank(left) - rank(right));
}

/** True for a key that stays as it is until a person does something. */
export function needsPerson({ state }: KeyRow): boolean {
  return state === 'Failed' || state === 'Conflict';
}

/** True for a key that needs a person or more work. */
export function isException({ state }: KeyRow): boolean {
  return state !== 'Verified' && state !== 'Removed' && state !== 'Skipped';
}

export function filtered(rows: readonly KeyRow[], { states, text }: Filter): readonly KeyRow[] {
  return rows.filter(
    (row) => (states?.has(row.state) ?? true) && (text === undefined || textsOf(row).some(contains(text))),
  );
}

function textsOf({ destination, key, name, reason = '' }: KeyRow): readonly string[] {
  return [`${name}/${key}`, reason, destination?.path ?? ''];
}

function contains(text: string): (within: string) => boolean {
  return (within) => within.toLowerCase().includes(text);
}

/** One line for each key, in the order of the rows. */
export function keyTable(
  rows: readonly KeyRow[],
  { nowMs, output }: { readonly nowMs: number; readonly output: Output },
): string {
  const head = ['NAME', 'KEY', 'STATE', 'REASON', 'DESTINATION', 'VERSION', 'AGE'];
  return tableOf(
    head,
    rows.map((row) => {
      const color = COLORS[row.state];
      return [
        printable(row.name),
        printable(row.key),
        color === undefined ? row.state : output.paint(color, row.state),
        printable(row.reason ?? ''),
        printable(row.destination?.path ?? ''),
        printable(row.destination?.version ?? ''),
        ageOf(row.lastTransitionTime, nowMs),
      ];
    }),
  );
}
