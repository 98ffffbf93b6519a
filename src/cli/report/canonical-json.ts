import { Problem } from '../problem.ts';

/** Deeper than any report; a file of somebody's making could have any depth. */
const MAX_DEPTH = 64;

/**
 * The one text of a JSON value, as in RFC 8785: members sorted by name, no spaces. A member that is undefined is absent.
 * Throws `Problem` for a value that is nested too deeply.
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH)
    throw new Problem('The file is not an evidence report: its JSON is nested too deeply.');
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member, depth + 1)}`);
  return `{${members.join(',')}}`;
}
