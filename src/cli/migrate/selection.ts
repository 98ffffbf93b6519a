import type { LabelExpression, LabelSelector } from '#src/core/label-selector.ts';
import { Problem } from '../problem.ts';

/** The flags that select documents. */
export interface SelectionFlags {
  readonly names?: readonly string[] | undefined;
  readonly selector?: string | undefined;
  readonly prefix?: string | undefined;
  readonly all?: boolean | undefined;
  readonly exclude?: readonly string[] | undefined;
}

/** `spec.select` of these flags. Throws `Problem` unless exactly one of them selects. */
export function selectOf({ all, exclude = [], names = [], prefix, selector }: SelectionFlags): object {
  const choices = [
    ...(names.length === 0 ? [] : [{ names }]),
    ...(selector === undefined ? [] : [{ labelSelector: parseSelector(selector) }]),
    ...(prefix === undefined ? [] : [{ prefix }]),
    ...(all === true ? [{ all: true }] : []),
  ];
  const [choice, ...others] = choices;
  if (choice === undefined || others.length > 0)
    throw new Problem('Say which documents: exactly one of --names, --selector, --prefix and --all.');
  return exclude.length === 0 ? choice : { ...choice, exclude: excludeOf(exclude) };
}

/** A name with `*` at its end is a prefix. */
function excludeOf(texts: readonly string[]): object {
  const prefixes = texts.filter((text) => text.endsWith('*')).map((text) => text.slice(0, -1));
  const names = texts.filter((text) => !text.endsWith('*'));
  return {
    ...(names.length === 0 ? {} : { names }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
  };
}

/** A comma that is not between parentheses. */
const REQUIREMENTS = /,(?![^(]*\))/;
const SET = /^([^\s=!<>(),]+)\s+(in|notin)\s*\(([^()]*)\)$/;
const EQUALITY = /^([^\s=!<>(),]+)\s*(==?|!=)\s*([^\s=!<>(),]*)$/;
const EXISTENCE = /^(!?)\s*([^\s=!<>(),]+)$/;

/** `team=payments,tier in (web, api),!legacy`, as `kubectl -l`. Throws `Problem`; the API server checks keys and values. */
export function parseSelector(text: string): LabelSelector {
  const parts = text.split(REQUIREMENTS).map((part) => requirementOf(part.trim()));
  const expressions = parts.flatMap((part) => ('operator' in part ? [part] : []));
  const labels = parts.flatMap((part) => ('operator' in part ? [] : [[part.key, part.value] as const]));
  if (new Set(labels.map(([key]) => key)).size < labels.length)
    throw new Problem('--selector: a label has two values; use in (…) for one of several.');
  return {
    ...(labels.length === 0 ? {} : { matchLabels: Object.fromEntries(labels) }),
    ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
  };
}

type Label = { readonly key: string; readonly value: string };

function requirementOf(part: string): LabelExpression | Label {
  const found = equalityIn(part) ?? setIn(part) ?? existenceIn(part);
  if (found !== undefined) return found;
  throw new Problem(
    '--selector: write labels as kubectl -l does: team=payments, tier!=web, tier in (web,api), team, !legacy.',
  );
}

function equalityIn(part: string): LabelExpression | Label | undefined {
  const [, key, operator, value = ''] = EQUALITY.exec(part) ?? [];
  if (key === undefined) return undefined;
  return operator === '!=' ? { key, operator: 'NotIn', values: [value] } : { key, value };
}

function setIn(part: string): LabelExpression | undefined {
  const [, key, word, list = ''] = SET.exec(part) ?? [];
  if (key === undefined) return undefined;
  const values = list.split(',').map((each) => each.trim());
  return { key, operator: word === 'in' ? 'In' : 'NotIn', values };
}

function existenceIn(part: string): LabelExpression | undefined {
  const [, not, key] = EXISTENCE.exec(part) ?? [];
  return key === undefined ? undefined : { key, operator: not === '' ? 'Exists' : 'DoesNotExist' };
}
