import { z } from 'zod';
import { matching, withRules, type Rule } from '#src/schema/rules.ts';

/*
 * One document of several, and several of one. The fields have no defaults in the schema, so that an earlier version can read
 * an object that does not use them (docs/contributing/release.md).
 */

/** `{name}` and `{key}`, each at most once and at least one of them, between literals. */
const JOINED_KEY =
  /^[A-Za-z0-9_.=@:+~,-]*(\{name\}([A-Za-z0-9_.=@:+~,-]*\{key\})?|\{key\}([A-Za-z0-9_.=@:+~,-]*\{name\})?)[A-Za-z0-9_.=@:+~,-]*$/;

const JOINED_KEY_PROBLEM =
  'must have {name}, {key} or both, each at most once, between letters, digits and "_.=@:+~,-"';

export const JoinSchema = z
  .object({
    key: withRules(z.string().min(1).max(128), matching(JOINED_KEY, JOINED_KEY_PROBLEM))
      .optional()
      .describe(
        'Name of a key: {name} is the name of the document in the folder, {key} its own key. Two values with one name are refused. With {name} alone, each document must have exactly one key. Default: "{name}.{key}".',
      ),
  })
  .describe(
    'From paths to Secrets or files: each folder that directly contains documents is one document, {name} in path is that of the folder, and its keys are those of its documents. All of them are read in one state, or the folder is not moved. mapping.keys applies after it. Requires sourcePolicy Keep.',
  );

export const SplitSchema = z
  .object({
    key: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[A-Za-z0-9_.=@:+~,-]+$/, { error: 'must be letters, digits and "_.=@:+~,-"' })
      .optional()
      .describe('Key that the value has in its own document. Default: "value".'),
  })
  .describe(
    'From Secrets or files to paths: each key is a document of its own, with the name "<name>/<key>" in spec.select and in {name} of path. mapping.keys applies after it. Requires sourcePolicy Keep.',
  );

interface Ruled {
  readonly sourcePolicy?: string | undefined;
}

/** The fields of a spec that the rules are about. */
interface Spec {
  readonly mode: string;
  readonly sourcePolicy: string;
  readonly sync?: { readonly authority?: string | undefined } | undefined;
  readonly source: { readonly fallback?: unknown };
  readonly mapping: {
    readonly join?: unknown;
    readonly split?: unknown;
    readonly prefixes?: readonly Ruled[] | undefined;
    readonly patterns?: readonly Ruled[] | undefined;
    readonly overrides?: readonly Ruled[] | undefined;
  };
}

const HAS_SHAPE = '(has(self.mapping.join) || has(self.mapping.split))';

function hasShape({ mapping: { join, split } }: Spec): boolean {
  return join !== undefined || split !== undefined;
}

const TABLES = ['prefixes', 'patterns', 'overrides'] as const;

const tablesKeep = TABLES.map(
  (table) =>
    `(!has(self.mapping.${table}) || self.mapping.${table}.all(entry, !has(entry.sourcePolicy) || entry.sourcePolicy == 'Keep'))`,
).join(' && ');

/** What a spec with mapping.join or mapping.split cannot have. */
export const SHAPE_RULES: readonly Rule<Spec>[] = [
  {
    rule: '!has(self.mapping.join) || !has(self.mapping.split)',
    message: 'set only one of mapping.join and mapping.split',
    holds: ({ mapping: { join, split } }) => join === undefined || split === undefined,
  },
  {
    rule: `!${HAS_SHAPE} || (self.sourcePolicy == 'Keep' && ${tablesKeep})`,
    message:
      'mapping.join and mapping.split require sourcePolicy Keep, also in rules: the source is only read',
    holds: (spec) =>
      !hasShape(spec) ||
      [spec, ...TABLES.flatMap((table) => spec.mapping[table] ?? [])].every(
        ({ sourcePolicy = 'Keep' }) => sourcePolicy === 'Keep',
      ),
  },
  {
    rule: `!${HAS_SHAPE} || self.mode != 'Sync' || !has(self.sync) || !has(self.sync.authority) || self.sync.authority == 'Source'`,
    message: 'mapping.join and mapping.split require sync.authority Source: the source is only read',
    holds: (spec) =>
      !hasShape(spec) || spec.mode !== 'Sync' || (spec.sync?.authority ?? 'Source') === 'Source',
  },
  {
    rule: `!${HAS_SHAPE} || !has(self.source.fallback)`,
    message: 'mapping.join and mapping.split cannot be used together with source.fallback',
    holds: (spec) => !hasShape(spec) || spec.source.fallback === undefined,
  },
  {
    rule: 'has(self.mapping.join) == has(oldSelf.mapping.join) && has(self.mapping.split) == has(oldSelf.mapping.split)',
    message:
      'mapping.join and mapping.split cannot be added or removed, because they change what a document is: create a new SecretMigration',
  },
];
