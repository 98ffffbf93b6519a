import { z } from 'zod';
import { GenerationSchema, ObjectMetaSchema, ObjectNameSchema, TimeSchema } from '#src/schema/meta.ts';
import { parseWith, type Parsed } from '#src/schema/parse.ts';
import { MOST_PODS } from './parallelism.ts';
import { MAX_RECONCILE_TOKEN, MAX_REPORTS, SecretMigrationStatusSchema } from './secret-migration.ts';
import { StatusRowSchema } from './status-row.ts';
import { readRows } from './stored-rows.ts';
import { SummarySchema } from './totals.ts';
import { typeMetaOf } from '../type-meta.ts';

/** Maximum number of rows in one report. */
export const MAX_REPORT_ROWS = 500;
/** Maximum bytes of one report as JSON. The schema cannot express it; the writer enforces it. */
export const MAX_REPORT_BYTES = 128 * 1024;

const RangeEndSchema = z
  .object({
    generation: GenerationSchema.describe('The generation of the spec that it worked on.'),
    requested: z
      .string()
      .max(MAX_RECONCILE_TOKEN)
      .optional()
      .describe('The requested run that it answered: the value of keyferry.io/reconcile-requested-at.'),
    retryTime: TimeSchema.optional().describe('When there is more to do for it; absent if nothing is.'),
  })
  .describe('How the last run of this range ended; absent before that.');

/** With `spec.parallelism`: what the pod of one range says of all of its documents. */
export const RangeSchema = z
  .object({
    index: z
      .int()
      .min(0)
      .max(MOST_PODS - 1)
      .describe('Number of the range; the first is 0.'),
    pods: z.int().min(2).max(MOST_PODS).describe('Number of ranges.'),
    ended: RangeEndSchema.optional(),
    status: SecretMigrationStatusSchema.describe('As status of the SecretMigration, for this range alone.'),
  })
  .describe('With spec.parallelism: the state of one range, in a report without rows.');
export type RangeState = z.infer<typeof RangeSchema>;

export const ReportSchema = z.object({
  migration: ObjectNameSchema.describe('Name of the SecretMigration.'),
  shard: z
    .int()
    .min(0)
    .max(MAX_REPORTS - 1)
    .describe('Number of this shard; the first is 0.'),
  rows: z
    .array(StatusRowSchema)
    .max(MAX_REPORT_ROWS)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe(
      'One row for each document, or more for its keys that are not alike or do not fit into one; the rows of one document are consecutive.',
    ),
  summary: SummarySchema.describe('Number of keys of this shard in each state.'),
  range: RangeSchema.optional(),
});
export type Report = z.infer<typeof ReportSchema>;

const OwnerReferenceSchema = z.object({
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().optional(),
});

export const SecretMigrationReportSchema = z
  .object({
    ...typeMetaOf('SecretMigrationReport'),
    metadata: ObjectMetaSchema.extend({ ownerReferences: z.array(OwnerReferenceSchema).optional() }),
    report: ReportSchema.describe('A part of the per-key table.'),
  })
  .describe(
    'A part of the per-key table of a SecretMigration that has too many keys for its status. Only the operator writes it.',
  );
export type SecretMigrationReport = z.infer<typeof SecretMigrationReportSchema>;

type StoredSummary = { readonly [State in keyof Report['summary']]?: number | undefined };

/** A report as it is stored: another version may have written it, with other counts. */
export interface StoredReport extends Pick<SecretMigrationReport, 'metadata'> {
  readonly report: Omit<Report, 'summary'> & { readonly summary: StoredSummary };
}

const StoredReportSchema = SecretMigrationReportSchema.extend({
  report: ReportSchema.extend({
    rows: z.array(z.unknown()),
    summary: SummarySchema.partial().catch({}),
  }),
});

/** Parses a SecretMigrationReport as the apiserver returns it; another version may have written it: see `readRows`. */
export function parseSecretMigrationReport(input: unknown): Parsed<StoredReport> {
  const parsed = parseWith(StoredReportSchema, input);
  if (!parsed.ok) return parsed;
  const { metadata, report } = parsed.value;
  const rows = readRows(report.rows);
  if (rows === undefined) return { ok: false, problems: ['report.rows: a row has no name'] };
  return { ok: true, value: { metadata, report: { ...report, rows } } };
}

const ReportOwnerSchema = SecretMigrationReportSchema.pick({ metadata: true });

/** The metadata of a SecretMigrationReport whose content does not match the schema of this version. */
export function parseReportMetadata(input: unknown): Parsed<Pick<SecretMigrationReport, 'metadata'>> {
  return parseWith(ReportOwnerSchema, input);
}
