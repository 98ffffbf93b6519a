import { migration, openbao, type Json, type RuleCase } from './rule-cases.ts';

/* Names in a KV engine and in the mapping of its documents. */

const TREE_PATH =
  'must be segments of printable characters except "\\", "%", "?" and "#", joined by single slashes: remove any other slash, also at the start and end, and a space or period at the end of a segment';

/** The rule of a path in a KV engine: any printable name that the servers allow. */
function treePathCase(field: string): RuleCase {
  const examples = (...paths: readonly string[]) =>
    Object.fromEntries(paths.map((path) => [path, openbao({ [field]: path })]));
  const hostile = [
    '/secret/',
    '/secret',
    'secret/',
    'a//b',
    'a/../b',
    './a',
    '.hidden',
    'a%2fb',
    'a?b',
    'a#b',
    'a\\b',
  ];
  const atTheEnd = ['a ', ' a', 'a /b', 'a/ b', 'a.', 'a./b', 'a\u00A0', 'a\u3000b'];
  return {
    kind: 'SecretBackend',
    at: `spec.openbao.${field}`,
    message: TREE_PATH,
    accepts: examples(
      'team',
      'team_1/a-b.c',
      'a b',
      'café web/naïve',
      '日本/語',
      'a',
      `it's "a" (b) {c} <d> & e`,
      '😀',
    ),
    refuses: examples(
      ...hostile,
      ...atTheEnd,
      'a\tb',
      'a\nb',
      'a\u0007b',
      'a\u202Eb',
      'a\u200Bb',
      'a\u2028b',
    ),
  };
}

function inNamespaces(...namespaces: readonly string[]): Readonly<Record<string, Json>> {
  return Object.fromEntries(namespaces.map((namespace) => [namespace, openbao({ namespace })]));
}

const BACKEND_CASES: readonly RuleCase[] = [
  ...['mount', 'pathPrefix'].map((field) => treePathCase(field)),
  {
    kind: 'SecretBackend',
    at: 'spec.openbao.namespace',
    message:
      'must be names of letters, digits, "_", "-" and ".", joined by single slashes; one slash at the start or end is allowed',
    accepts: inNamespaces('team', 'team/', '/team', '/team_1/a-b.c/'),
    refuses: inNamespaces('/', 'team//', '//team', 'a//b', 'a/../b', 'a b'),
  },
];

function keyRule(entry: Json): Json {
  return migration({ mapping: { keys: [entry] } });
}

const KEY_CASE: RuleCase = {
  kind: 'SecretMigration',
  at: 'spec.mapping.keys.[]',
  message: 'set to, decode, or both',
  accepts: {
    'a name': keyRule({ from: 'a', to: 'b' }),
    'an encoding': keyRule({ from: 'a', decode: 'base64' }),
    both: keyRule({ from: '{id}.b64', to: '{id}', decode: 'base64' }),
  },
  refuses: { neither: keyRule({ from: 'a' }) },
};

export const NAME_CASES: readonly RuleCase[] = [
  ...BACKEND_CASES,
  ...BACKEND_CASES.map((rule) => ({ ...rule, kind: 'ClusterSecretBackend' as const })),
  KEY_CASE,
];
