import { ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { nearestName } from '#src/config/nearest-name.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';

type State = KeyRow['state'];

/** How the result is printed; undefined: a table. */
export type OutputFormat = 'wide' | 'name' | 'json' | 'yaml' | undefined;

/** Which rows of the table of keys. */
export interface Filter {
  readonly states?: ReadonlySet<State> | undefined;
  /** In lower case. */
  readonly text?: string | undefined;
}

export interface StatusFlags {
  readonly inAllNamespaces: boolean;
  readonly labelSelector: string | undefined;
  readonly watches: boolean;
  readonly format: OutputFormat;
  readonly filter: Filter;
  readonly showsAll: boolean;
}

/** What a person typed. Throws `Problem` for flags that do not go together. */
export function statusFlagsOf(name: string | undefined, options: unknown): StatusFlags {
  const typed: Readonly<Record<string, unknown>> = isRecord(options) ? options : {};
  const flags: StatusFlags = {
    inAllNamespaces: typed['allNamespaces'] === true,
    labelSelector: textOf(typed['selector']),
    watches: typed['watch'] === true,
    format: formatOf(typed['output']),
    filter: {
      states: statesOf(textOf(typed['state'])),
      text: textOf(typed['filter'])?.toLowerCase(),
    },
    showsAll: typed['all'] === true,
  };
  requireConsistent(name, flags);
  return flags;
}

function requireConsistent(name: string | undefined, flags: StatusFlags): void {
  const problem = (name === undefined ? problemOfAll(flags) : problemOfOne(flags)) ?? problemOfWatch(flags);
  if (problem !== undefined) throw new Problem(problem);
}

function problemOfOne({ inAllNamespaces, labelSelector }: StatusFlags): string | undefined {
  if (inAllNamespaces) return 'A name is looked for in one namespace: use -n <namespace> instead of -A.';
  return labelSelector === undefined
    ? undefined
    : 'A name and a selector do not go together: leave out one of them.';
}

function problemOfAll({ filter, showsAll }: StatusFlags): string | undefined {
  if (filter.states === undefined && filter.text === undefined && !showsAll) return undefined;
  return '--state, --filter and --all choose keys of one migration: name it, for example "status payments --state Failed".';
}

function problemOfWatch({ format, watches }: StatusFlags): string | undefined {
  if (!watches || format === undefined || format === 'wide') return undefined;
  return `-w prints a table: leave out -o ${format}, or use kubectl get -w -o ${format}.`;
}

function formatOf(option: unknown): OutputFormat {
  return option === 'wide' || option === 'name' || option === 'json' || option === 'yaml'
    ? option
    : undefined;
}

function statesOf(list: string | undefined): ReadonlySet<State> | undefined {
  if (list === undefined) return undefined;
  return new Set(list.split(',').map((word) => stateOf(word.trim())));
}

function stateOf(word: string): State {
  const state = ROW_STATES.find((known) => known.toLowerCase() === word.toLowerCase());
  if (state !== undefined) return state;
  const meant = nearestName(word, ROW_STATES);
  const guess = meant === undefined ? '' : ` Did you mean ${meant}?`;
  throw new Problem(
    `There is no state "${printable(word)}".${guess} A key is in one of: ${ROW_STATES.join(', ')}.`,
  );
}

function textOf(option: unknown): string | undefined {
  return typeof option === 'string' && option !== '' ? option : undefined;
}

function isRecord(thing: unknown): thing is Readonly<Record<string, unknown>> {
  return typeof thing === 'object' && thing !== null;
}
