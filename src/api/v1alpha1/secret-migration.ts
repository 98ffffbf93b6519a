import { z } from 'zod';
import {
  ConditionsSchema,
  CountSchema,
  GenerationSchema,
  ObjectNameSchema,
  TimeSchema,
} from '#src/schema/meta.ts';
import { parseObserved, type Observed, type Parsed } from '#src/schema/parse.ts';
import { exactlyOne, immutable, pathSegments, withRules } from '#src/schema/rules.ts';
import { APPROVAL_RULE, ApprovalSchema } from './approval.ts';
import { InventorySchema } from './inventory.ts';
import { LabelSelectorSchema } from './label-selector.ts';
import { DocumentNameSchema, MappingSchema, SourcePolicySchema } from './mapping.ts';
import { PARALLELISM_RULES, ParallelismSchema } from './parallelism.ts';
import { SHAPE_RULES } from './shapes.ts';
import { StatusRowSchema } from './status-row.ts';
import { readRows } from './stored-rows.ts';
import { PlanSchema, SummarySchema } from './totals.ts';
import { DestinationStoreSchema, UsedBackendsSchema } from './used-backends.ts';
import { RemovalSchema } from './removal.ts';
import { RolloutSchema, SyncSchema } from './sync.ts';
import { typeMetaOf } from '../type-meta.ts';

/** Maximum number of rows in `status.keys`; with more, the rows go to SecretMigrationReports. */
export const MAX_INLINE_ROWS = 250;
/** Maximum bytes of `status.keys` as JSON (exclusive). The schema cannot express it; the status writer enforces it. */
export const MAX_INLINE_BYTES = 64 * 1024;
/** Maximum number of rows in `status.exceptions`. */
export const MAX_EXCEPTIONS = 100;
/** Maximum bytes of `status.exceptions` as JSON. The schema cannot express it; the status writer enforces it. */
export const MAX_EXCEPTIONS_BYTES = 128 * 1024;
/** Maximum number of SecretMigrationReports of one migration. */
export const MAX_REPORTS = 4096;
/** Characters of the retry annotation that `status.lastHandledReconcileAt` echoes. */
export const MAX_RECONCILE_TOKEN = 256;

const NamePrefixSchema = z.string().min(1).max(253).regex(/^[^/]/, { error: 'must not start with a slash' });

const NO_OTHER_NAMESPACE =
  'backendRef has no namespace: a SecretBackend is in the namespace of its SecretMigration. Remove the field, or use a ClusterSecretBackend, which other namespaces can share';

const BackendRefSchema = z.object({
  kind: z
    .enum(['SecretBackend', 'ClusterSecretBackend'])
    .default('SecretBackend')
    .describe(
      'SecretBackend: a backend in the namespace of this SecretMigration. ClusterSecretBackend: a backend that this namespace is allowed to use.',
    ),
  name: ObjectNameSchema.describe('Name of the backend.'),
  // A field, because the API server would drop an unknown one, and another backend of this name would be used.
  namespace: withRules(z.string().max(63), {
    rule: 'false',
    message: NO_OTHER_NAMESPACE,
    holds: () => false,
  })
    .optional()
    .describe('Always refused: a SecretBackend is in the namespace of this SecretMigration.'),
});
export type BackendRef = z.infer<typeof BackendRefSchema>;

const EndSchema = z.object({
  backendRef: BackendRefSchema.optional().describe('The backend. Default: the default ClusterSecretBackend.'),
});

const SourceSchema = EndSchema.extend({
  fallback: z
    .object({
      prefix: withRules(
        z
          .string()
          .max(253)
          // The characters of src/api/v1alpha1/mapping.ts.
          .regex(/^([^\p{C}\p{Z}\\%?#{}]| |\{namespace\})*$/u, {
            error:
              'must be printable characters except "\\", "%", "?", "#", and braces only as in {namespace}',
          })
          .describe(
            'Text before {name} in the old paths, instead of the text in mapping.path: "{namespace}/" or "OLD_". Can be empty.',
          ),
        pathSegments('prefix must not start with a slash, or contain an empty, "." or ".." segment', 'start'),
      ),
      untilTime: TimeSchema.describe('Old paths are read until this time.'),
    })
    .optional()
    .describe(
      'For the time while names change: a document that is absent at its path is read at its old path. Absent means that the backend itself reports it as absent; errors and deleted versions are reported. Requires sourcePolicy Keep.',
    ),
});

export const ExcludeSchema = z.object({
  names: z
    .array(DocumentNameSchema.describe('One name.'))
    .max(256)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('Names to exclude.'),
  prefixes: z
    .array(NamePrefixSchema.describe('Name prefix.'))
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('Names with one of these prefixes are excluded.'),
  types: z
    .array(z.string().min(1).max(253).describe('One type, for example kubernetes.io/tls.'))
    .max(32)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('Kubernetes Secrets of these types are excluded.'),
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
      .describe('Exactly these documents; one that does not exist is reported as Failed.'),
    labelSelector: LabelSelectorSchema.optional().describe(
      'Secrets with these labels, as in other Kubernetes objects: {matchLabels: {team: payments}}. An object, not text such as "team=payments". Kubernetes sources only.',
    ),
    prefix: NamePrefixSchema.optional().describe(
      'Documents whose names have this prefix, for example "payments-".',
    ),
    all: z
      .literal(true)
      .optional()
      .describe('All documents. Must be set explicitly: an empty selection is refused.'),
    exclude: ExcludeSchema.optional().describe(
      'Exceptions. Service account tokens, Helm releases and bootstrap tokens are always excluded. A Secret that a backend reads its credentials from is Skipped, unless names lists it.',
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
    mode: z
      .enum(['Once', 'Sync'])
      .default('Once')
      .describe(
        'Once: move the documents that exist now, then complete. Sync: do the same, then carry each later change from the side that leads (sync.authority) to the other, and let new documents of the selection join. Can be changed at any time: back to Once stops that and removes nothing.',
      ),
    sync: SyncSchema.optional(),
    rollout: RolloutSchema.optional(),
    source: withRules(
      SourceSchema.prefault({}).describe(
        'Where the values come from: a SecretBackend or ClusterSecretBackend. Immutable.',
      ),
      immutable(`source ${NEW_MIGRATION}`),
    ),
    destination: withRules(
      EndSchema.prefault({}).describe(
        'Where the values go: a SecretBackend or ClusterSecretBackend. Immutable.',
      ),
      immutable(`destination ${NEW_MIGRATION}`),
    ),
    select: SelectSchema.describe(
      'Which documents of the source. Set exactly one of names, labelSelector, prefix and all.',
    ),
    mapping: MappingSchema.prefault({}).describe(
      'Where each document goes, and the new names of documents and keys. Without it, a Secret goes to the path {namespace}/{name} below the mount, with the keys that it has.',
    ),
    conflictPolicy: z
      .enum(['Fail', 'KeepDestination', 'Overwrite'])
      .default('Fail')
      .describe(
        'What happens when the destination differs. Fail: nothing is overwritten and the row is Conflict. KeepDestination: the document is Skipped and its source is kept. Overwrite: the destination is overwritten if it still has the version that was read; the row names the version to restore. Overwrite requires a destination that keeps earlier versions. In mode Sync, after the first copy, it is about changes of the side that follows: Fail shows them, KeepDestination keeps them, Overwrite undoes them; a Secret is kept as a copy first. With sync.authority Either it has no effect then.',
      ),
    sourcePolicy: SourcePolicySchema.default('Keep').describe(
      'What happens to the source after its copy is verified. Keep: nothing. Delete: it is removed, unless it changed or a backend needs it. Backup: as Delete, and a copy is kept next to it: ".<name>.migrated.bak" in a directory, the Secret "<name>.migrated-bak" in Kubernetes. Project: a Secret is kept unchanged and marked as the projection of the destination, which owns the value from then on; in mode Sync the Secret follows it. Mode Sync requires Keep or Project.',
    ),
    removal: RemovalSchema.optional(),
    backupTTLSeconds: z
      .int()
      .min(1)
      .max(31_536_000)
      .optional()
      .describe(
        'Seconds after which a backup is removed, if the destination still has its value or a later version of the document (at most one year). Default: never.',
      ),
    soakSeconds: z
      .int()
      .min(0)
      .max(2_592_000)
      .default(0)
      .describe(
        'Seconds for which a copy must stay verified before its source is removed (at most 30 days).',
      ),
    dryRun: z
      .boolean()
      .default(false)
      .describe(
        'True: read only, write nothing, and report what would happen. Set it to false to start the migration.',
      ),
    approval: ApprovalSchema.optional(),
    parallelism: ParallelismSchema.optional(),
    suspend: z.boolean().default(false).describe('Pause before the next document until this is false again.'),
    undo: z
      .boolean()
      .optional()
      .describe(
        'True: take the migration back. Removed sources are created again, overwritten documents get their earlier version, and documents that this migration created and nobody changed since are removed; what cannot be taken back stays, and its row says why. False or absent: migrate. Requires mode Once and no dryRun.',
      ),
  }),
  {
    rule: 'has(self.source.backendRef) != has(self.destination.backendRef) || (has(self.source.backendRef) && (self.source.backendRef.kind != self.destination.backendRef.kind || self.source.backendRef.name != self.destination.backendRef.name)) || has(self.mapping.prefixes) || has(self.mapping.patterns) || has(self.mapping.overrides)',
    message:
      'source and destination are the same backend: set the new names in mapping.prefixes, mapping.patterns or mapping.overrides',
    holds: ({ source, destination, mapping }) =>
      source.backendRef?.kind !== destination.backendRef?.kind ||
      source.backendRef?.name !== destination.backendRef?.name ||
      [mapping.prefixes, mapping.patterns, mapping.overrides].some((table) => table !== undefined),
  },
  {
    rule: "!has(self.source.fallback) || self.sourcePolicy == 'Keep'",
    message: 'source.fallback requires sourcePolicy Keep: a document at an old path is never removed',
    holds: ({ source, sourcePolicy }) => source.fallback === undefined || sourcePolicy === 'Keep',
  },
  {
    rule: "self.mode != 'Sync' || self.sourcePolicy in ['Keep', 'Project']",
    message:
      'mode Sync requires sourcePolicy Keep or Project: a source that is removed cannot be kept in step',
    holds: ({ mode, sourcePolicy }) =>
      mode !== 'Sync' || sourcePolicy === 'Keep' || sourcePolicy === 'Project',
  },
  {
    rule: "self.mode != 'Sync' || self.sourcePolicy != 'Project' || !has(self.sync) || !has(self.sync.authority) || self.sync.authority == 'Destination'",
    message:
      'sourcePolicy Project requires sync.authority Destination: the destination owns a projected value',
    holds: ({ mode, sourcePolicy, sync }) =>
      mode !== 'Sync' || sourcePolicy !== 'Project' || (sync?.authority ?? 'Destination') === 'Destination',
  },
  APPROVAL_RULE,
  {
    rule: "!has(self.undo) || !self.undo || (self.mode == 'Once' && !self.dryRun)",
    message: 'undo requires mode Once and no dryRun: set mode to Once and dryRun to false',
    holds: ({ dryRun, mode, undo }) => undo !== true || (mode === 'Once' && !dryRun),
  },
  ...SHAPE_RULES,
  ...PARALLELISM_RULES,
).describe('What to move, from where to where, and under which policies.');

export const SecretMigrationStatusSchema = z
  .object({
    observedGeneration: GenerationSchema.default(-1).describe(
      'The metadata.generation that this status describes; -1 before the first reconcile.',
    ),
    lastHandledReconcileAt: z
      .string()
      .max(MAX_RECONCILE_TOKEN)
      .optional()
      .describe('Last handled value of the annotation keyferry.io/reconcile-requested-at.'),
    conditions: ConditionsSchema.optional().describe(
      'Ready and Succeeded, and Reconciling, Stalled and Suspended while they are true.',
    ),
    progress: z
      .string()
      .max(32)
      .regex(/^[0-9]+\/[0-9]+$/)
      .optional()
      .describe('Keys that are done, of all keys: "12/12".'),
    summary: SummarySchema.optional().describe('Number of keys in each state.'),
    fallback: z
      .object({
        state: z.enum(['Active', 'Ended']).describe('Whether old names are followed.'),
        hits: CountSchema.describe(
          'Number of values that were taken from an old name, in all runs; in mode Once, of reads at an old path.',
        ),
        lastHitTime: TimeSchema.optional().describe('Time of the last one.'),
      })
      .optional()
      .describe(
        'Use of old names, with spec.source.fallback or in mode Sync inside one backend: if hits stays the same for a long time, no program uses them any more.',
      ),
    rules: z
      .array(
        z
          .object({
            rule: z.string().max(64).describe('The rule of spec.mapping: "prefixes[0]".'),
            total: CountSchema.describe('Keys that the rule applies to.'),
            migrated: CountSchema.describe('Verified or removed.'),
            skipped: CountSchema.describe('Skipped, for example because they already have their new names.'),
            failed: CountSchema.describe('Failed, or in conflict.'),
          })
          .describe('The keys of one rule.'),
      )
      .max(512)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['rule'] })
      .optional()
      .describe('Number of keys that each rule of spec.mapping moved; absent without rules.'),
    backends: UsedBackendsSchema.optional(),
    inventory: InventorySchema.optional(),
    plan: PlanSchema.optional(),
    documents: CountSchema.optional().describe('Number of selected documents.'),
    destinationStore: DestinationStoreSchema.optional(),
    operatorVersion: z
      .string()
      .max(64)
      .optional()
      .describe('Version of the operator that wrote this status last.'),
    startTime: TimeSchema.optional().describe('When this run started.'),
    completionTime: TimeSchema.optional().describe('When this run completed.'),
    lastSyncTime: TimeSchema.optional().describe(
      'Mode Sync: when a change was last carried to the other side.',
    ),
    keys: z
      .array(StatusRowSchema)
      .max(MAX_INLINE_ROWS)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe(
        'The table of keys: a row for each document with the names of its keys, or more rows for keys that are not alike; complete, or absent when keysTruncated is set.',
      ),
    exceptions: z
      .array(StatusRowSchema)
      .max(MAX_EXCEPTIONS)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe('When keysTruncated is set: the first rows that are not done.'),
    keysTruncated: z
      .boolean()
      .optional()
      .describe('There are too many rows for keys; the complete table is in SecretMigrationReports.'),
    reports: z
      .object({
        count: z
          .int()
          .min(0)
          .max(MAX_REPORTS)
          .describe('Number of reports that are stored, from "<name>-0" on.'),
        rows: CountSchema.optional().describe('Number of keys that their rows have at least.'),
        labelSelector: z
          .string()
          .max(512)
          .describe('Label selector of the reports, for kubectl get secretmigrationreports -l.'),
        lost: z
          .object({
            reports: CountSchema.describe('Reports that were deleted or changed by another writer.'),
            rows: CountSchema.describe('Keys whose rows are known to be missing from them.'),
            unrecoverable: z
              .boolean()
              .describe(
                'True if rows of removed sources can be among them: no run can write those again. Cleared by a requested run after Ready has the reason ReportsIncomplete.',
              ),
          })
          .optional()
          .describe('What was lost of the table; absent if nothing was.'),
      })
      .optional()
      .describe('The SecretMigrationReports with the complete table.'),
  })
  .describe(
    'State of the migration. Only the operator writes it. It contains observations only: losing it costs time, never data.',
  );
export type SecretMigrationStatus = z.infer<typeof SecretMigrationStatusSchema>;

export const SecretMigrationSchema = z
  .object({
    ...typeMetaOf('SecretMigration'),
    spec: SecretMigrationSpecSchema,
    status: SecretMigrationStatusSchema.prefault({ observedGeneration: -1 }),
  })
  .describe('Moves a selection of secret values from one SecretBackend to another, verified byte for byte.');
export type SecretMigration = z.infer<typeof SecretMigrationSchema> & Observed;

/**
 * Parses a SecretMigration as the apiserver returns it. Another version may have written its status: see `parseObserved`
 * and `readRows`. A reference to reports must be readable, because rows would be lost without it.
 */
export function parseSecretMigration(input: unknown): Parsed<SecretMigration> {
  const parsed = SplitSchema.safeParse(input);
  if (!parsed.success) return parseObserved(SecretMigrationSchema, input);
  const { keys, exceptions, ...status } = parsed.data.status;
  const rest = parseObserved(SecretMigrationSchema, { ...parsed.data, status }, ['reports']);
  if (!rest.ok) return rest;
  for (const [member, stored] of Object.entries({ keys, exceptions })) {
    if (stored === undefined) continue;
    const rows = readRows(stored);
    if (rows === undefined) return { ok: false, problems: [`status.${member}: a row has no name`] };
    Object.assign(rest.value.status, { [member]: rows });
  }
  return rest;
}

/** A status with rows, which are parsed one by one. */
const SplitSchema = z.looseObject({
  status: z.looseObject({
    keys: z.array(z.unknown()).optional(),
    exceptions: z.array(z.unknown()).optional(),
  }),
});
