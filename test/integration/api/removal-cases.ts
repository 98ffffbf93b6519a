import { migration, type Json, type RuleCase } from './rule-cases.ts';

/* spec.removal. */

function searching(resource: Json): Json {
  return migration({
    removal: { references: [{ resource: { version: 'v1', ...resource }, path: 'spec.name' }] },
  });
}

export const REMOVAL_CASES: readonly RuleCase[] = [
  {
    kind: 'SecretMigration',
    at: 'spec.removal.references.[].resource',
    message: 'Secrets are not searched: their values are no names. Use another resource',
    accepts: {
      'another resource of the core group': searching({ plural: 'configmaps' }),
      'secrets of another group': searching({ group: 'example.com', plural: 'secrets' }),
    },
    refuses: {
      'the core group by default': searching({ plural: 'secrets' }),
      'the core group by name': searching({ group: '', plural: 'secrets' }),
    },
  },
];
