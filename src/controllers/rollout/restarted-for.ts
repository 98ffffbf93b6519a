import { z } from 'zod';
import { jsonOrUndefined } from '#src/json/parse.ts';

/** Most Secrets that the annotation names. */
export const MAX_NAMED = 32;
/** Longest revision in it, characters. */
const MAX_REVISION = 64;

const Restarted = z.record(z.string(), z.string());

/** What a restart writes. */
export interface RestartedFor {
  /** Of the annotation: a JSON object, name of a Secret → revision. */
  readonly text: string;
  /** The Secrets that the restart is for, sorted. */
  readonly names: readonly string[];
}

/**
 * The annotation `keyferry.io/restarted-for` after these Secrets changed (name → revision); undefined if it says so already, or
 * the workload uses none of them. The same revisions give the same text. Secrets that did not change keep their entry while
 * the workload uses them. Of more than `MAX_NAMED`, those that changed now come first.
 */
export function restartedFor(
  before: string | undefined,
  used: ReadonlySet<string>,
  changed: ReadonlyMap<string, string>,
): RestartedFor | undefined {
  const known = entriesOf(before);
  const due = [...changed]
    .map(([name, revision]): readonly [string, string] => [name, revision.slice(0, MAX_REVISION)])
    .filter(([name, revision]) => used.has(name) && known.get(name) !== revision)
    .toSorted(byName);
  if (due.length === 0) return undefined;
  const names = due.map(([name]) => name);
  const kept = [...known].filter(([name]) => used.has(name) && !names.includes(name)).toSorted(byName);
  const entries = [...due, ...kept].slice(0, MAX_NAMED).toSorted(byName);
  return { text: JSON.stringify(Object.fromEntries(entries)), names };
}

/** Empty if it is not ours: a person can write anything there. */
function entriesOf(text: string | undefined): ReadonlyMap<string, string> {
  if (text === undefined) return new Map();
  return new Map(Object.entries(Restarted.safeParse(jsonOrUndefined(text)).data ?? {}));
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}
