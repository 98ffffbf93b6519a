import { createHash } from 'node:crypto';
import type { Outcome } from './outcome.ts';

/** Names the format of the text that is hashed: another one gives other digests. */
const FORMAT = 'keyferry.io plan 1';

/**
 * Names one plan: `sha256:` and 64 hexadecimal digits, over `about` (what was asked for, and between which stores) and the plan of
 * each row, by name. It covers names, paths, keys, actions and versions, never a value or what is derived from one: a version that
 * stands in for a value is not in a row. Rows without a plan do not count.
 */
export function planDigest(about: unknown, rows: Iterable<Outcome>): string {
  const hash = createHash('sha256').update(`${FORMAT}\n${canonical(about)}`);
  const planned = [...rows].filter((row) => row.planned !== undefined);
  for (const { keys, name, planned: plan } of planned.toSorted(byName))
    hash.update(`\n${canonical([name, keys.toSorted(), plan])}`);
  return `sha256:${hash.digest('hex')}`;
}

function byName(left: Outcome, right: Outcome): number {
  return left.name < right.name ? -1 : 1;
}

/** JSON whose members are sorted, so that equal content is equal text. */
function canonical(content: unknown): string {
  return JSON.stringify(content, (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)));
  });
}
