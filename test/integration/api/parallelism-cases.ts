import { FALLBACK, migration, type RuleCase } from './rule-cases.ts';

const PODS = { parallelism: { pods: 4 } };

/** What several pods can move, and what only one process can (docs/adr/0077). */
export const PARALLELISM_CASES: readonly RuleCase[] = [
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'parallelism cannot be added, changed or removed, because it says which reports have the rows of a document: create a new SecretMigration',
    from: migration(PODS),
    accepts: { 'the same number': migration({ ...PODS, conflictPolicy: 'Overwrite' }) },
    refuses: {
      'another number': migration({ parallelism: { pods: 8 } }),
      none: migration({}),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'parallelism cannot be added, changed or removed, because it says which reports have the rows of a document: create a new SecretMigration',
    from: migration({}),
    accepts: { 'still none': migration({ conflictPolicy: 'Overwrite' }) },
    refuses: { 'added later': migration(PODS) },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'parallelism requires mode Once, sourcePolicy Keep and no undo: pods do not share the locks of a removal. To remove the sources, create another SecretMigration without parallelism when this one has completed',
    accepts: {
      'several pods that keep': migration(PODS),
      'one process that deletes': migration({ sourcePolicy: 'Delete' }),
      'no undo': migration({ ...PODS, undo: false }),
    },
    refuses: {
      'several pods that delete': migration({ ...PODS, sourcePolicy: 'Delete' }),
      'several pods that project': migration({ ...PODS, sourcePolicy: 'Project' }),
      'several pods in mode Sync': migration({ ...PODS, mode: 'Sync' }),
      'an undo by several pods': migration({ ...PODS, undo: true }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'parallelism cannot be used with dryRun or approval.required: no process has the whole plan. Make the plan with another SecretMigration without parallelism',
    accepts: { 'an approval that is not required': migration({ ...PODS, approval: { required: false } }) },
    refuses: {
      'a dry run': migration({ ...PODS, dryRun: true }),
      'an approval': migration({ ...PODS, approval: { required: true } }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'parallelism cannot be used with select.names, source.fallback, labels in mapping.path, and mapping.prefixes, patterns, overrides, segmentSeparator, join and split: two pods could give two documents one path. Remove them, or migrate without parallelism',
    accepts: {
      'a path of its own': migration({ ...PODS, mapping: { path: 'team/{namespace}/{name}' } }),
      'names of keys': migration({ ...PODS, mapping: { keys: [{ from: 'a', to: 'b' }] } }),
    },
    refuses: {
      names: migration({ ...PODS, select: { names: ['a'] } }),
      'a fallback': migration({ ...PODS, source: FALLBACK }),
      'a label in the path': migration({ ...PODS, mapping: { path: '{label:team}/{name}' } }),
      prefixes: migration({ ...PODS, mapping: { prefixes: [{ from: 'a', to: 'b' }] } }),
      patterns: migration({ ...PODS, mapping: { patterns: [{ from: 'a', to: 'b' }] } }),
      overrides: migration({ ...PODS, mapping: { overrides: [{ name: 'a', path: 'b' }] } }),
      'a separator': migration({ ...PODS, mapping: { segmentSeparator: '-' } }),
      'a join': migration({ ...PODS, mapping: { join: {} } }),
      'a split': migration({ ...PODS, mapping: { split: {} } }),
    },
  },
];
