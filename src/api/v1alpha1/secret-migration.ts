import { z } from 'zod';
import {
  ConditionsSchema,
  CountSchema,
  GenerationSchema,
  ObjectNameSchema,
  TimeSchema,
} from '#src/schema/meta.ts';
import { parseWith } from '#src/schema/parse.ts';
import type { Parsed } from '#src/schema/parse.ts';
import { exactlyOne, immutable, withRules } from '#src/schema/rules.ts';
import { ROW_STATES } from './conditions.ts';
import { DocumentNameSchema, MappingSchema, SourcePolicySchema } from './mapping.ts';
import { typeMetaOf } from '../type-meta.ts';

/** Most rows in `status.keys`; with more, the rows go to SecretMigrationReports. */
export const MAX_INLINE_ROWS = 250;
/** Most bytes of `status.keys` as JSON (exclusive). Not expressible in the schema: the status writer's duty. */
export const MAX_INLINE_BYTES = 64 * 1024;
/** Most rows in `status.exceptions`. */
export const MAX_EXCEPTIONS = 100;
/** Longest `message` of a row. */
export const MAX_ROW_MESSAGE = 256;
/** How much of the retry annotation is echoed in `status.lastHandledReconcileAt`. */
export const MAX_RECONCILE_TOKEN = 256;

const NamePrefixSchema = z.string().min(1).max(253).regex(/^[^/]/, { error: 'must be the begin of a name' });

const BackendRefSchema = z.object({
  kind: z
    .enum(['SecretBackend', 'ClusterSecretBackend'])
    .default('SecretBackend')
    .describe(
      'SecretBackend: one in the namespace of this SecretMigration. ClusterSecretBackend: one that this namespace is allowed to use.',
    ),
  name: ObjectNameSchema.describe('Name of the backend.'),
});
export type BackendRef = z.infer<typeof BackendRefSchema>;

const EndSchema = z.object({
  backendRef: BackendRefSchema.optional().describe(
    'The backend to use. Default: the ClusterSecretBackend that is the default.',
  ),
});

const SourceSchema = EndSchema.extend({
  fallback: z
    .object({
      prefix: z
        .string()
        .max(253)
        .regex(/^([A-Za-z0-9_.=@:+~,/-]|\{namespace\})*$/, {
          error: 'must be letters, digits, "/_.=@:+~,-" and {namespace}',
        })
        .describe(
          'What stands before {name} in the old addresses, instead of what mapping.path says: "{namespace}/" or "OLD_". May be empty.',
        ),
      untilTime: TimeSchema.describe('When old addresses are no longer read.'),
    })
    .optional()
    .describe(
      'While names change: a document that is absent at its address is read at its old one. Only what the store itself calls absent; errors and deleted versions are reported. Needs sourcePolicy Keep.',
    ),
});

export const ExcludeSchema = z.object({
  names: z
    .array(DocumentNameSchema.describe('One name.'))
    .max(256)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('Names to leave out.'),
  prefixes: z
    .array(NamePrefixSchema.describe('Begin of a name.'))
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('Names that begin with one of these are left out.'),
  types: z
    .array(z.string().min(1).max(253).describe('One type, for example kubernetes.io/tls.'))
    .max(32)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('Kubernetes Secrets of these types are left out.'),
});
export type Exclude = z.infer<typeof ExcludeSchema>;

export const SelectSchema = withRules(
  z.object({
    names: z
      .array(DocumentNameSchema.describe('One name.'))
      .min(1)
      .max(256)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe('These and no others; one that does not exist is reported as Failed.'),
    labelSelector: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z0-9._/,=!() -]+$/, { error: 'must be a label selector in Kubernetes syntax' })
      .optional()
      .describe(
        'Secrets with these labels, for example "team=payments,tier in (web, api)". Kubernetes sources only.',
      ),
    prefix: NamePrefixSchema.optional().describe(
      'Everything whose name begins with this, for example "payments-".',
    ),
    all: z
      .literal(true)
      .optional()
      .describe('Everything. Must be said aloud: an empty selection is refused.'),
    exclude: ExcludeSchema.optional().describe(
      'Exceptions. Service account tokens, Helm releases and bootstrap tokens are always left out.',
    ),
  }),
  exactlyOne(
    ['names', 'labelSelector', 'prefix', 'all'],
    'set exactly one of names, labelSelector, prefix and all',
  ),
);

const NEW_MIGRATION = 'is immutable: create a new SecretMigration';

export const SecretMigrationSpecSchema = withRules(
  z.object({
    mode: z.enum(['Once']).default('Once').describe('Once: move what is there now, then be done.'),
    source: withRules(
      SourceSchema.prefault({}).describe('Where the values come from. Immutable.'),
      immutable(`source ${NEW_MIGRATION}`),
    ),
    destination: withRules(
      EndSchema.prefault({}).describe('Where the values go. Immutable.'),
      immutable(`destination ${NEW_MIGRATION}`),
    ),
    select: SelectSchema.describe(
      'Which documents of the source. Set exactly one of names, labelSelector, prefix and all.',
    ),
    mapping: MappingSchema.prefault({}).describe(
      'How the name of a Secret and the path of a document belong together.',
    ),
    conflictPolicy: z
      .enum(['Fail', 'KeepDestination', 'Overwrite'])
      .default('Fail')
      .describe(
        'What happens when the destination holds something else. Fail: nothing is overwritten, the row says Conflict. KeepDestination: the document is Skipped and its source stays. Overwrite: it is written over, if it still is what was read; the row names the version to go back to. Only for destinations that keep earlier versions.',
      ),
    sourcePolicy: SourcePolicySchema.default('Keep').describe(
      'What happens to the source once its copy is verified. Keep: nothing. Delete: it is removed, unless it changed or a backend needs it. Backup: the same, and a copy is kept beside it: ".<name>.migrated.bak" in a directory, the Secret "<name>.migrated-bak" in Kubernetes. Project: a Secret stays as it is, marked as the projection of the destination, which owns the value from then on.',
    ),
    backupTTLSeconds: z
      .int()
      .min(1)
      .max(31_536_000)
      .optional()
      .describe(
        'After how many seconds a backup is removed, if the destination still holds the document (at most a year). Default: never.',
      ),
    soakSeconds: z
      .int()
      .min(0)
      .max(2_592_000)
      .default(0)
      .describe('How many seconds a copy stays verified before its source may be removed (at most 30 days).'),
    dryRun: z
      .boolean()
      .default(false)
      .describe(
        'Read only, write nothing, and report what would happen. Setting it to false is the go signal.',
      ),
    suspend: z
      .boolean()
      .default(false)
      .describe('Stop at the next document and stay there until it is false again.'),
  }),
  {
    rule: 'has(self.source.backendRef) != has(self.destination.backendRef) || (has(self.source.backendRef) && (self.source.backendRef.kind != self.destination.backendRef.kind || self.source.backendRef.name != self.destination.backendRef.name)) || has(self.mapping.prefixes) || has(self.mapping.patterns) || has(self.mapping.overrides)',
    message:
      'source and destination are the same backend: say in mapping.prefixes, patterns or overrides what gets which new name',
    holds: ({ source, destination, mapping }) =>
      source.backendRef?.kind !== destination.backendRef?.kind ||
      source.backendRef?.name !== destination.backendRef?.name ||
      [mapping.prefixes, mapping.patterns, mapping.overrides].some((table) => table !== undefined),
  },
  {
    rule: "!has(self.source.fallback) || self.sourcePolicy == 'Keep'",
    message: 'source.fallback needs sourcePolicy Keep: what may be an old copy is only read',
    holds: ({ source, sourcePolicy }) => source.fallback === undefined || sourcePolicy === 'Keep',
  },
).describe('What to move, from where to where, and how carefully.');

const RowVersionSchema = z.string().max(64);
const RowIdentitySchema = z.string().max(128);

export const StatusRowSchema = z
  .object({
    name: z.string().max(512).describe('Name of the document at the source.'),
    key: z.string().max(512).describe('Name of the key; empty for a document without keys.'),
    state: z.enum(ROW_STATES).describe('Where this key stands.'),
    reason: z
      .string()
      .max(64)
      .regex(/^[A-Z][A-Za-z0-9]*$/)
      .optional()
      .describe('Why it stands there, as one CamelCase word.'),
    message: z
      .string()
      .max(MAX_ROW_MESSAGE)
      .optional()
      .describe('Why it stands there, as a sentence; never a value.'),
    destination: z
      .object({
        path: z.string().max(1024).describe('Address at the destination.'),
        version: RowVersionSchema.optional().describe(
          'Version at the destination that was written or found.',
        ),
        identity: RowIdentitySchema.optional().describe(
          'Identifies the document that has this version; a document that is deleted and created again has another identity.',
        ),
        priorVersion: RowVersionSchema.optional().describe(
          'Version that was current before it was overwritten, to go back to.',
        ),
      })
      .optional()
      .describe('Where it goes or went.'),
    source: z
      .object({
        path: z
          .string()
          .max(1024)
          .optional()
          .describe('Where it was read, when that was its old address (spec.source.fallback).'),
        version: RowVersionSchema.optional().describe('Version at the source that was read last.'),
        identity: RowIdentitySchema.optional().describe(
          'Identifies the document that has this version; a document that is deleted and created again has another identity.',
        ),
      })
      .optional()
      .describe('What was read at the source.'),
    rule: z
      .string()
      .max(64)
      .optional()
      .describe('The rule of spec.mapping that gives it its name: "prefixes[0]".'),
    backup: z.string().max(1024).optional().describe('Address at the source of the backup that was kept.'),
    lastTransitionTime: TimeSchema.describe('When state changed last.'),
  })
  .describe('Where one key stands.');
export type StatusRow = z.infer<typeof StatusRowSchema>;

export const SummarySchema = z.object({
  total: CountSchema.describe('All keys of the selection.'),
  pending: CountSchema.describe('Not copied yet.'),
  copied: CountSchema.describe('Written, not yet read back.'),
  verified: CountSchema.describe('Read back from the destination and equal, byte for byte.'),
  removed: CountSchema.describe('Verified, then removed from the source.'),
  conflict: CountSchema.describe('The destination holds something else; left alone.'),
  failed: CountSchema.describe('Could not be moved.'),
  skipped: CountSchema.describe('Deliberately left out.'),
});

export const SecretMigrationStatusSchema = z
  .object({
    observedGeneration: GenerationSchema.default(-1).describe(
      'The metadata.generation that this status is about; -1 before the first visit.',
    ),
    lastHandledReconcileAt: z
      .string()
      .max(MAX_RECONCILE_TOKEN)
      .optional()
      .describe('Echo of the annotation keyferry.io/reconcile-requested-at that was handled last.'),
    conditions: ConditionsSchema.optional().describe(
      'Ready and Succeeded, and while they hold Reconciling, Stalled and Suspended.',
    ),
    progress: z
      .string()
      .max(32)
      .regex(/^[0-9]+\/[0-9]+$/)
      .optional()
      .describe('Keys that are done, of all keys: "12/12".'),
    summary: SummarySchema.optional().describe('How many keys stand where.'),
    fallback: z
      .object({
        state: z.enum(['Active', 'Ended']).describe('Whether old addresses are read.'),
        hits: CountSchema.describe('How often a document was read at its old address, in all runs.'),
        lastHitTime: TimeSchema.optional().describe('When that happened last.'),
      })
      .optional()
      .describe('What spec.source.fallback was needed for: nothing for a long time means that it can go.'),
    rules: z
      .array(
        z
          .object({
            rule: z.string().max(64).describe('The rule of spec.mapping: "prefixes[0]".'),
            total: CountSchema.describe('Keys that fall under it.'),
            migrated: CountSchema.describe('Verified or removed.'),
            skipped: CountSchema.describe(
              'Left alone, for example because they have their new names already.',
            ),
            failed: CountSchema.describe('Failed, or in conflict.'),
          })
          .describe('The keys of one rule.'),
      )
      .max(512)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['rule'] })
      .optional()
      .describe('How many keys each rule of spec.mapping moved; absent without rules.'),
    backends: z
      .object({
        source: z.string().max(320).describe('Kind and name of the backend that the values come from.'),
        destination: z.string().max(320).describe('Kind and name of the backend that the values go to.'),
      })
      .optional()
      .describe(
        'The backends that are used, "SecretBackend/bao". Another default later is not taken for the one that the migration began with.',
      ),
    documents: CountSchema.optional().describe('How many documents were selected.'),
    startTime: TimeSchema.optional().describe('When this run began.'),
    completionTime: TimeSchema.optional().describe('When it was done.'),
    keys: z
      .array(StatusRowSchema)
      .max(MAX_INLINE_ROWS)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('One row for each key; complete, or absent when keysTruncated is set.'),
    exceptions: z
      .array(StatusRowSchema)
      .max(MAX_EXCEPTIONS)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('When keysTruncated is set: the first rows that are not fine.'),
    keysTruncated: z
      .boolean()
      .optional()
      .describe('There are too many keys for keys; the complete table is in SecretMigrationReports.'),
    reports: z
      .object({
        count: CountSchema.describe('How many there are.'),
        labelSelector: z.string().max(512).describe('Finds them: kubectl get secretmigrationreports -l.'),
      })
      .optional()
      .describe('The SecretMigrationReports that hold the complete table.'),
  })
  .describe(
    'Where the migration stands; written by the operator only. It is observation: losing it costs time, never data.',
  );
export type SecretMigrationStatus = z.infer<typeof SecretMigrationStatusSchema>;

export const SecretMigrationSchema = z
  .object({
    ...typeMetaOf('SecretMigration'),
    spec: SecretMigrationSpecSchema,
    status: SecretMigrationStatusSchema.prefault({ observedGeneration: -1 }),
  })
  .describe('Moves a selection of secret values from one SecretBackend to another, verified byte for byte.');
export type SecretMigration = z.infer<typeof SecretMigrationSchema>;

/** Parses a SecretMigration as the apiserver returns it. */
export function parseSecretMigration(input: unknown): Parsed<SecretMigration> {
  return parseWith(SecretMigrationSchema, input);
}
