import type { TableEntry } from './rows.ts';

/** True when nothing changed; it may be false although nothing did. */
export function isSameEntry(before: TableEntry | undefined, after: TableEntry): boolean {
  if (before === undefined || before.since !== after.since) return false;
  return isSame(before.outcome, after.outcome) && isSame(before.unknown, after.unknown);
}

/** True when two parts of entries have the same members with the same values; it may be false for maps. */
function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (left instanceof Map || right instanceof Map) return false;
  const others = Object.entries(right);
  const members = Object.entries(left);
  if (members.length !== others.length) return false;
  return members.every(([member, value], index) => {
    const [name, other] = others[index] ?? [];
    return isSame(value, name === member ? other : others.find(([each]) => each === member)?.[1]);
  });
}
