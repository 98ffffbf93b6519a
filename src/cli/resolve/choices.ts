import {
  MAX_RESOLUTIONS,
  MAX_RESOLVE_LENGTH,
  parseResolve,
  type Resolve,
} from '#src/api/v1alpha1/resolve.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { isResolvable } from '#src/core/sync/resolution.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';

export type Side = Resolve['winner'];

/** A document in conflict, with what its row shows of both sides. */
export interface Contested {
  readonly name: string;
  readonly reason: string;
  readonly destination: string;
  readonly seen: Resolve['seen'];
}

/**
 * The documents to resolve: those that are named, each by its name or by `name/key`, or all that can be resolved. Throws
 * `Problem` for a name that is not in conflict, or in one that the bytes do not decide.
 */
export function contestedIn(rows: readonly KeyRow[], named: readonly string[] | 'all'): readonly Contested[] {
  const chosen = named === 'all' ? rows.filter(canBeResolved) : named.map((name) => rowNamed(rows, name));
  if (chosen.length === 0) throw new Problem('No document is in a conflict that can be resolved.');
  return [...Map.groupBy(chosen, ({ name }) => name).values()].flatMap(([row]) =>
    row === undefined ? [] : [contestedOf(row)],
  );
}

function canBeResolved({ reason, state }: KeyRow): boolean {
  return state === 'Conflict' && isResolvable({ reason });
}

function rowNamed(rows: readonly KeyRow[], named: string): KeyRow {
  const found =
    rows.find(({ name }) => name === named) ?? rows.find(({ key, name }) => `${name}/${key}` === named);
  if (found === undefined)
    throw new Problem(`There is no row of ${printable(named)}. See the names: kubectl keyferry status.`);
  if (canBeResolved(found)) return found;
  const { message, name, reason, state } = found;
  const said = [reason, message].filter((part) => part !== undefined).join(': ');
  throw new Problem(
    state === 'Conflict'
      ? `Which side wins does not end the conflict of ${printable(name)}: ${printable(said)}`
      : `${printable(name)} is not in conflict: it is ${state}${said === '' ? '' : ` (${printable(said)})`}.`,
  );
}

function contestedOf({ destination, name, reason = '', source }: KeyRow): Contested {
  return {
    name,
    reason,
    destination: destination?.path ?? name,
    seen: { source: source?.version, destination: destination?.version },
  };
}

/**
 * The annotation with these choices. Entries of others stay, except those of documents that are in step: they do nothing
 * more. Throws `Problem` where the annotation cannot be read, or would be too large.
 */
export function annotationWith(
  before: string | undefined,
  {
    contested,
    rows,
    winner,
  }: { readonly contested: readonly Contested[]; readonly rows: readonly KeyRow[]; readonly winner: Side },
): string {
  const parsed = parseResolve(before);
  if ('problem' in parsed)
    throw new Problem(
      `The annotation keyferry.io/resolve cannot be read: ${parsed.problem}. Correct or remove it first; nothing was changed.`,
    );
  const inStep = new Set(rows.filter(({ state }) => state === 'Verified').map(({ name }) => name));
  const chosen = new Set(contested.map(({ name }) => name));
  const kept = [...parsed.byName].filter(([name]) => !inStep.has(name) && !chosen.has(name));
  const entries = [
    ...kept.map(([name, { seen, winner: other }]) => entryOf(name, other, seen)),
    ...contested.map(({ name, seen }) => entryOf(name, winner, seen)),
  ];
  const text = JSON.stringify(entries);
  if (entries.length > MAX_RESOLUTIONS || text.length > MAX_RESOLVE_LENGTH)
    throw new Problem(
      `At most ${MAX_RESOLUTIONS} conflicts are resolved at once, in ${MAX_RESOLVE_LENGTH} characters: name fewer, and the others when those are in step.`,
    );
  return text;
}

function entryOf(name: string, winner: Side, { destination = '', source = '' }: Resolve['seen']): object {
  return { name, winner, source, destination };
}
