import { OperatorError } from '#src/errors.ts';
import type { Address } from '../document.ts';
import type { SourcePolicy } from '../checks.ts';
import { compileNamePattern } from './name-pattern.ts';

/** The tables of `spec.mapping` that rename documents. */
export interface RenamingTables {
  readonly overrides: readonly { name: string; path: string; sourcePolicy?: SourcePolicy | undefined }[];
  readonly scopes: { readonly prefix: string; readonly separator: string } | undefined;
  readonly prefixes: readonly PrefixRule[];
  readonly patterns: readonly { from: string; to: string; sourcePolicy?: SourcePolicy | undefined }[];
}

export interface PrefixRule {
  readonly from: string;
  /** Exactly one of `to` and `scope`. */
  readonly to?: string | undefined;
  readonly scope?: string | undefined;
  readonly stripPrefix: boolean;
  readonly sourcePolicy?: SourcePolicy | undefined;
}

/** One rule of a table, as rows and counts name it. */
export interface Rule {
  /** Its path in spec.mapping: `prefixes[0]`. */
  readonly id: string;
  /** The policy for sources that the rule applies to, if it differs from the spec. */
  readonly sourcePolicy: SourcePolicy | undefined;
}

export type Renamed =
  /** No rule applies: the name stays. */
  | { readonly kind: 'unchanged' }
  /** The name already has the form that a rule produces. */
  | { readonly kind: 'already'; readonly rule: Rule | undefined }
  | { readonly kind: 'renamed'; readonly name: string; readonly rule: Rule }
  /** An override: the destination address itself, without `mapping.path`. */
  | { readonly kind: 'placed'; readonly address: Address; readonly rule: Rule };

export interface Renaming {
  readonly isEmpty: boolean;
  /** The rules that can apply, in the order of the spec. */
  readonly rules: readonly Rule[];
  rename(name: string): Renamed;
}

/** `undefined` when the rule does not apply to a name. */
interface Matcher {
  readonly rule: Rule;
  readonly pattern: NameRule;
}

interface NameRule {
  rename(name: string): string | undefined;
  isRenamed(name: string): boolean;
}

function prefixPattern(rule: PrefixRule, to: string): NameRule {
  return {
    rename: (name) => {
      if (!name.startsWith(rule.from)) return undefined;
      return to + (rule.stripPrefix ? name.slice(rule.from.length) : name);
    },
    isRenamed: (name) => to !== '' && name.startsWith(to),
  };
}

/** The prefix of names under this rule. Throws `SPEC_INVALID` for a scope that could not be read back. */
function targetPrefixOf(rule: PrefixRule, scopes: RenamingTables['scopes'], target: string): string {
  const invalid = (detail: string) =>
    new OperatorError('SPEC_INVALID', { op: 'mapping.compile', target, detail });
  if (rule.scope === undefined) {
    if (rule.to === undefined) throw invalid('The rule needs to or scope.');
    if (rule.to === '' && !rule.stripPrefix) throw invalid('The rule maps every name to itself.');
    return rule.to;
  }
  if (scopes === undefined) throw invalid('The scope needs spec.mapping.scopes.');
  if (rule.scope.includes(scopes.separator)) {
    throw invalid(`The scope must not contain the separator "${scopes.separator}".`);
  }
  return `${scopes.prefix}${rule.scope}${scopes.separator}`;
}

function matchersOf({ prefixes, patterns, scopes }: RenamingTables): readonly Matcher[] {
  return [
    ...prefixes.map((entry, index) => {
      const id = `prefixes[${index}]`;
      const to = targetPrefixOf(entry, scopes, `spec.mapping.${id}`);
      return { rule: { id, sourcePolicy: entry.sourcePolicy }, pattern: prefixPattern(entry, to) };
    }),
    ...patterns.map((entry, index) => {
      const id = `patterns[${index}]`;
      const pattern = compileNamePattern(entry.from, entry.to, `spec.mapping.${id}`);
      return { rule: { id, sourcePolicy: entry.sourcePolicy }, pattern };
    }),
  ];
}

/**
 * Overrides come first. A name that already has a new form stays, whatever else it matches. Each other name belongs to the
 * first rule that matches, prefixes before patterns. Throws `SPEC_INVALID`.
 */
export function compileRenaming(tables: RenamingTables): Renaming {
  const placed = new Map(
    tables.overrides.map(({ name, path, sourcePolicy }, index) => {
      const rule = { id: `overrides[${index}]`, sourcePolicy };
      return [name, { kind: 'placed', address: path, rule } as const];
    }),
  );
  const matchers = matchersOf(tables);
  const scopePrefix = tables.scopes?.prefix ?? '';
  return {
    isEmpty: placed.size === 0 && matchers.length === 0,
    rules: [...[...placed.values()].map(({ rule }) => rule), ...matchers.map(({ rule }) => rule)],
    rename(name) {
      const override = placed.get(name);
      if (override !== undefined) return override;
      const already = matchers.find(({ pattern }) => pattern.isRenamed(name));
      if (already !== undefined) return { kind: 'already', rule: already.rule };
      if (scopePrefix !== '' && name.startsWith(scopePrefix)) return { kind: 'already', rule: undefined };
      for (const { rule, pattern } of matchers) {
        const renamed = pattern.rename(name);
        if (renamed !== undefined) return { kind: 'renamed', name: renamed, rule };
      }
      return { kind: 'unchanged' };
    },
  };
}
