import { migration, type Json, type RuleCase } from './rule-cases.ts';

/* spec.mapping.join and spec.mapping.split. */

const shaping = (mapping: Json, change: Json = {}): Json => migration({ mapping, ...change });
const JOIN = shaping({ join: {} });
const SPLIT = shaping({ split: {} });
const FALLBACK = {
  backendRef: { name: 'kubernetes' },
  fallback: { prefix: 'old-', untilTime: '2030-01-01T00:00:00Z' },
};

const keyed = (...keys: readonly string[]): Readonly<Record<string, Json>> =>
  Object.fromEntries(keys.map((key) => [key, shaping({ join: { key } })]));

const ruled = (sourcePolicy: string): Readonly<Record<string, Json>> =>
  Object.fromEntries(
    Object.entries({
      prefixes: { from: 'a', to: 'b' },
      patterns: { from: 'a{x}', to: 'b{x}' },
      overrides: { name: 'a', path: 'b' },
    }).map(([table, rule]) => [
      `${sourcePolicy} in ${table}`,
      shaping({ split: {}, [table]: [{ ...rule, sourcePolicy }] }),
    ]),
  );

const following = (authority: string): Json => shaping({ join: {} }, { mode: 'Sync', sync: { authority } });

const KIND = { kind: 'SecretMigration', at: 'spec' } as const;

export const SHAPE_CASES: readonly RuleCase[] = [
  {
    ...KIND,
    message: 'set only one of mapping.join and mapping.split',
    accepts: { 'a join': JOIN, 'a split': SPLIT },
    refuses: { both: shaping({ join: {}, split: {} }) },
  },
  {
    ...KIND,
    message:
      'mapping.join and mapping.split require sourcePolicy Keep, also in rules: the source is only read',
    accepts: ruled('Keep'),
    refuses: {
      ...ruled('Delete'),
      'a join that removes': shaping({ join: {} }, { sourcePolicy: 'Delete' }),
      'a split that keeps backups': shaping({ split: {} }, { sourcePolicy: 'Backup' }),
    },
  },
  {
    ...KIND,
    message: 'mapping.join and mapping.split require sync.authority Source: the source is only read',
    accepts: { Source: following('Source'), 'no authority': shaping({ split: {} }, { mode: 'Sync' }) },
    refuses: { Either: following('Either'), Destination: following('Destination') },
  },
  {
    ...KIND,
    message: 'mapping.join and mapping.split cannot be used together with source.fallback',
    accepts: { 'a fallback without a split': migration({ source: FALLBACK }) },
    refuses: { 'a fallback with a split': shaping({ split: {} }, { source: FALLBACK }) },
  },
  {
    ...KIND,
    message:
      'mapping.join and mapping.split cannot be added or removed, because they change what a document is: create a new SecretMigration',
    from: JOIN,
    accepts: { 'another form of the keys': shaping({ join: { key: '{key}' } }) },
    refuses: { 'no join': migration({}), 'a split instead': SPLIT },
  },
  {
    kind: 'SecretMigration',
    at: 'spec.mapping.join.key',
    message: 'must have {name}, {key} or both, each at most once, between letters, digits and "_.=@:+~,-"',
    accepts: keyed('{name}.{key}', '{key}', '{name}', '{key}{name}', 'app_{name}-{key}.txt'),
    refuses: keyed('key', '{other}', '{name}.{name}', '{name}/{key}', '{{key}}', '{name} {key}', '{key'),
  },
];
