import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRenaming, type RenamingTables } from './renaming.ts';

const NONE: RenamingTables = { overrides: [], scopes: undefined, prefixes: [], patterns: [] };

function renaming(tables: Partial<RenamingTables>) {
  return compileRenaming({ ...NONE, ...tables });
}

/** `new name (rule)`, `already`, `unchanged`. */
function told(tables: Partial<RenamingTables>, name: string): string {
  const renamed = renaming(tables).rename(name);
  if (renamed.kind === 'renamed') return `${renamed.name} (${renamed.rule.id})`;
  return renamed.kind === 'placed' ? `${renamed.address} (${renamed.rule.id})` : renamed.kind;
}

/** The table of ToolHive #4346. */
const TOOLHIVE: Partial<RenamingTables> = {
  scopes: { prefix: '__thv_', separator: '_' },
  prefixes: [
    { from: 'BEARER_TOKEN_', scope: 'workloads', stripPrefix: false },
    { from: 'registry-user-', scope: 'workloads', stripPrefix: false },
    { from: 'REGISTRY_OAUTH_', scope: 'registry', stripPrefix: false },
  ],
};

describe('mapping.prefixes', () => {
  it.each([
    ['BEARER_TOKEN_github', '__thv_workloads_BEARER_TOKEN_github (prefixes[0])'],
    ['registry-user-a', '__thv_workloads_registry-user-a (prefixes[1])'],
    ['REGISTRY_OAUTH_x', '__thv_registry_REGISTRY_OAUTH_x (prefixes[2])'],
    ['__thv_workloads_BEARER_TOKEN_github', 'already'],
    ['__thv_other', 'already'],
    ['MY_KEY', 'unchanged'],
    ['BEARER_TOKE', 'unchanged'],
  ])('makes of %s: %s', (name, wanted) => {
    expect(told(TOOLHIVE, name)).toBe(wanted);
  });

  it('applies the first rule that matches, in the order of the table', () => {
    const prefixes = [
      { from: 'a-b-', to: 'first/', stripPrefix: true },
      { from: 'a-', to: 'second/', stripPrefix: true },
    ];
    expect(told({ prefixes }, 'a-b-c')).toBe('first/c (prefixes[0])');
    expect(told({ prefixes }, 'a-c')).toBe('second/c (prefixes[1])');
  });

  it('never renames a name that it produced', () => {
    const text = fc.stringMatching(/^[a-zA-Z_-]{1,6}$/);
    fc.assert(
      fc.property(text, text, fc.boolean(), text, (from, to, stripPrefix, rest) => {
        const rules = { prefixes: [{ from, to, stripPrefix }] };
        const once = renaming(rules).rename(from + rest);
        if (once.kind === 'renamed') expect(told(rules, once.name)).toBe('already');
      }),
    );
  });

  it.each([
    [
      'a scope that holds the separator',
      { ...TOOLHIVE, prefixes: [{ from: 'A_', scope: 'work_loads', stripPrefix: false }] },
    ],
    ['a scope without scopes', { prefixes: [{ from: 'A_', scope: 'x', stripPrefix: false }] }],
    ['a target that changes nothing', { prefixes: [{ from: 'A_', to: '', stripPrefix: false }] }],
  ])('refuses %s', (_what, tables) => {
    expect(() => renaming(tables)).toThrow(expect.objectContaining({ code: 'SPEC_INVALID' }));
  });
});

describe('mapping.patterns', () => {
  const patterns = [
    { from: 'upstream:{session}', to: 'upstream:{session}:okta' },
    { from: 'identity/{type}/{user}', to: 'identity/{user}.{type}' },
  ];

  it.each([
    ['upstream:abc', 'upstream:abc:okta (patterns[0])'],
    ['upstream:abc:okta', 'already'],
    ['upstream:abc:github', 'unchanged'],
    ['upstream:', 'unchanged'],
    ['identity/oidc/bob', 'identity/bob.oidc (patterns[1])'],
    ['identity/oidc/bob.smith', 'unchanged'],
    ['identity/bob.oidc', 'already'],
  ])('makes of %s: %s', (name, wanted) => {
    expect(told({ patterns }, name)).toBe(wanted);
  });

  it('never renames a name that it produced, and never gives two names one new name', () => {
    const part = fc.stringMatching(/^[a-z:.-]{1,5}$/);
    const rules = { patterns: [{ from: 'tok:{a}:{b}', to: 'n:{b}:{a}' }] };
    fc.assert(
      fc.property(part, part, part, part, (a, b, c, d) => {
        const [one, two] = [`tok:${a}:${b}`, `tok:${c}:${d}`].map((name) => renaming(rules).rename(name));
        if (one?.kind !== 'renamed' || two?.kind !== 'renamed') return;
        expect(told(rules, one.name)).toBe('already');
        expect(one.name === two.name).toBe(a === c && b === d);
      }),
    );
  });

  it.each([
    ['{a}{b}', 'x:{a}'],
    ['{a}', '{b}'],
    ['{a}:{a}', '{a}'],
    ['{A}', 'x'],
    ['{a', 'x'],
    ['a}', 'x'],
  ])('refuses %s → %s', (from, to) => {
    expect(() => renaming({ patterns: [{ from, to }] })).toThrow(
      expect.objectContaining({ code: 'SPEC_INVALID' }),
    );
  });
});

describe('mapping.overrides', () => {
  it('come before everything else', () => {
    const tables = { ...TOOLHIVE, overrides: [{ name: 'BEARER_TOKEN_x', path: 'other/place' }] };
    expect(told(tables, 'BEARER_TOKEN_x')).toBe('other/place (overrides[0])');
  });
});

describe('the sourcePolicy of a rule', () => {
  it('is part of the rule, in each of the three tables', () => {
    const tables: Partial<RenamingTables> = {
      overrides: [{ name: 'one', path: 'p', sourcePolicy: 'Backup' }],
      prefixes: [
        { from: 'a-', to: 'b-', stripPrefix: true, sourcePolicy: 'Keep' },
        { from: 'c-', to: 'd-', stripPrefix: true },
      ],
      patterns: [{ from: 's:{id}', to: 's:{id}:x', sourcePolicy: 'Delete' }],
    };
    const policyOf = (name: string) => {
      const renamed = renaming(tables).rename(name);
      return 'rule' in renamed ? renamed.rule?.sourcePolicy : 'none';
    };
    expect(['one', 'a-1', 'c-1', 's:1', 'other'].map(policyOf)).toEqual([
      'Backup',
      'Keep',
      undefined,
      'Delete',
      'none',
    ]);
  });
});
