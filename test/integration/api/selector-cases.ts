import { migration, type Json, type RuleCase } from './rule-cases.ts';

export function selecting(labelSelector: unknown): Json {
  return migration({ select: { labelSelector } });
}

function expression(key: string, operator: string, values?: readonly string[]): Json {
  return { key, operator, ...(values === undefined ? {} : { values }) };
}

const requiring = (...matchExpressions: readonly Json[]): Json => selecting({ matchExpressions });
const labeled = (key: string, value = 'x'): Json => selecting({ matchLabels: { [key]: value } });

const KEY =
  'a label key must be at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends, after an optional DNS name and "/"';
const VALUE = 'a label value must be letters, digits, "-", "_" and ".", with a letter or digit at both ends';
const KEYS = ['team', 'a', 'A_b.c-1', 'app.kubernetes.io/name', `example.com/${'n'.repeat(63)}`];
const BAD_KEYS = [
  '',
  'team payments',
  '-team',
  'team-',
  'a/b/c',
  'Example.com/x',
  'a..b/x',
  'n'.repeat(64),
  'a,b',
  '/x',
];
const VALUES = ['', 'x', 'A_b.c-1', 'v'.repeat(63)];
const BAD_VALUES = ['a b', '-a', 'a-', 'a,b', 'a)', 'ä'];

const byText = (texts: readonly string[], spec: (text: string) => Json): Readonly<Record<string, Json>> =>
  Object.fromEntries(texts.map((text) => [JSON.stringify(text), spec(text)]));

/** Rules of `spec.select.labelSelector`, a metav1.LabelSelector. */
export const SELECTOR_CASES: readonly RuleCase[] = [
  {
    kind: 'SecretMigration',
    at: 'spec.select.labelSelector',
    message:
      'labelSelector is empty: set matchLabels or matchExpressions; for every Secret, set select.all instead',
    accepts: {
      matchLabels: labeled('team'),
      matchExpressions: requiring(expression('team', 'Exists')),
      both: selecting({ matchLabels: { a: 'b' }, matchExpressions: [expression('c', 'In', ['d', ''])] }),
    },
    refuses: {
      'an empty object': selecting({}),
      'no labels': selecting({ matchLabels: {} }),
      'no labels and no expressions': selecting({ matchLabels: {}, matchExpressions: [] }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec.select.labelSelector.matchLabels',
    message: KEY,
    accepts: byText(KEYS, labeled),
    refuses: byText(BAD_KEYS, labeled),
  },
  {
    kind: 'SecretMigration',
    at: 'spec.select.labelSelector.matchLabels.*',
    message: VALUE,
    accepts: byText(VALUES, (value) => labeled('team', value)),
    refuses: byText(BAD_VALUES, (value) => labeled('team', value)),
  },
  {
    kind: 'SecretMigration',
    at: 'spec.select.labelSelector.matchExpressions.[].key',
    message: KEY,
    accepts: byText(KEYS, (key) => requiring(expression(key, 'Exists'))),
    refuses: byText(BAD_KEYS, (key) => requiring(expression(key, 'Exists'))),
  },
  {
    kind: 'SecretMigration',
    at: 'spec.select.labelSelector.matchExpressions.[].values.[]',
    message: VALUE,
    accepts: byText(VALUES, (value) => requiring(expression('team', 'NotIn', [value]))),
    refuses: byText(BAD_VALUES, (value) => requiring(expression('team', 'In', [value]))),
  },
  {
    kind: 'SecretMigration',
    at: 'spec.select.labelSelector.matchExpressions.[]',
    message: 'In and NotIn need at least one of values; Exists and DoesNotExist have none',
    accepts: {
      In: requiring(expression('a', 'In', ['b'])),
      NotIn: requiring(expression('a', 'NotIn', ['b', 'c'])),
      Exists: requiring(expression('a', 'Exists')),
      'DoesNotExist with no values': requiring(expression('a', 'DoesNotExist', [])),
    },
    refuses: {
      'In without values': requiring(expression('a', 'In')),
      'NotIn with no values': requiring(expression('a', 'NotIn', [])),
      'Exists with a value': requiring(expression('a', 'Exists', ['b'])),
      'DoesNotExist with a value': requiring(expression('a', 'DoesNotExist', ['b'])),
    },
  },
];
