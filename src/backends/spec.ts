import { z } from 'zod';
import { immutable, withRules, type Rule } from '#src/schema/rules.ts';
import { memberOf, type BackendKind } from './kind.ts';
import type { BACKEND_KINDS } from './kinds.ts';
import { ReservedPrefixSchema } from './reserved-prefix.ts';

type ShippedKind = (typeof BACKEND_KINDS)[number];

/** The members of the kinds that ship; `memberOf` reads those of any other kind. */
type KindMembers = { [K in ShippedKind as K['type']]: z.ZodOptional<K['schema']> };

/** Spec of a SecretBackend or ClusterSecretBackend, with the members of the kinds that ship. */
export type BackendSpec = z.output<z.ZodObject<ReturnType<typeof composeBackendSpec>['members']>>;

/**
 * The fields that the specs of SecretBackend and ClusterSecretBackend share for these kinds of backend, and the rules
 * between the fields.
 */
export function composeBackendSpec(kinds: readonly BackendKind[]) {
  const types = kinds.map(({ type }) => type);
  const members = {
    type: withRules(
      z.enum(types).describe('Type of backend; the field with the same name configures it. Immutable.'),
      immutable('type is immutable: create a new backend'),
    ),
    ...kindMembersOf(kinds),
    reservedPrefixes: z
      .array(
        ReservedPrefixSchema.describe('One prefix of reserved names, and the namespaces that may use them.'),
      )
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['prefix'] })
      .optional()
      .describe(
        'Names that are reserved for system use. To every namespace that is not allowed they are invisible, and requests to read, write or delete them are refused.',
      ),
  };
  return { members, rules: [exactlyTheNamedMember(types)] };
}

function kindMembersOf(kinds: readonly BackendKind[]): KindMembers {
  const members = kinds.map(({ type, schema, summary }) => [type, schema.optional().describe(summary)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- optional members: also correct for a shorter list
  return Object.fromEntries(members) as KindMembers;
}

function exactlyTheNamedMember(types: readonly string[]): Rule<Readonly<Record<string, unknown>>> {
  return {
    rule: types.map((type) => `has(self.${type}) == (self.type == '${type}')`).join(' && '),
    message: `set exactly the field that type names: ${inWords(types)}`,
    holds: (self) => types.every((type) => (self[type] !== undefined) === (self['type'] === type)),
  };
}

/** Not with Intl.ListFormat, which takes 13 ms of each start for its data of all languages. */
function inWords(words: readonly string[]): string {
  return [words.slice(0, -1).join(', '), ...words.slice(-1)].filter((part) => part !== '').join(' or ');
}

/** Names of all Secrets that a backend with this spec reads, for any kind. */
export function secretReferencesOf(spec: BackendSpec, kinds: readonly BackendKind[]): readonly string[] {
  return kinds.flatMap((kind) => {
    const member = memberOf(kind, spec);
    return member === undefined ? [] : kind.secretReferences(member);
  });
}

/** Where the spec says that the store is, as text to compare; empty for a kind with one place only. */
export function placeOf(spec: BackendSpec, kinds: readonly BackendKind[]): string {
  for (const kind of kinds) {
    const member = memberOf(kind, spec);
    if (member !== undefined) return kind.placeOf?.(member) ?? '';
  }
  return '';
}

/** The server that a backend with this spec asks, as text to compare; undefined if no tenant chooses it. */
export function serverOf(spec: BackendSpec, kinds: readonly BackendKind[]): string | undefined {
  for (const kind of kinds) {
    const member = memberOf(kind, spec);
    if (member !== undefined) return kind.serverOf?.(member);
  }
  return undefined;
}
