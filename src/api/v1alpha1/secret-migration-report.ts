import { z } from 'zod';
import { CountSchema, ObjectNameSchema } from '#src/schema/meta.ts';
import { parseWith } from '#src/schema/parse.ts';
import type { Parsed } from '#src/schema/parse.ts';
import { StatusRowSchema, SummarySchema } from './secret-migration.ts';
import { typeMetaOf } from '../type-meta.ts';

/** Most rows of one report. */
export const MAX_REPORT_ROWS = 500;
/** Most bytes of one report as JSON. Not expressible in the schema: the writer's duty. */
export const MAX_REPORT_BYTES = 128 * 1024;

export const ReportSchema = z.object({
  migration: ObjectNameSchema.describe('Name of the SecretMigration.'),
  shard: CountSchema.describe('Number of this shard; the first is 0.'),
  rows: z
    .array(StatusRowSchema)
    .max(MAX_REPORT_ROWS)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('One row for each key; the rows of one document follow each other.'),
  summary: SummarySchema.describe('How many keys of this shard stand where.'),
});
export type Report = z.infer<typeof ReportSchema>;

export const SecretMigrationReportSchema = z
  .object({
    ...typeMetaOf('SecretMigrationReport'),
    report: ReportSchema.describe('A part of the per-key table.'),
  })
  .describe(
    'A part of the per-key table of a SecretMigration that has too many keys for its status. Written by the operator only.',
  );
export type SecretMigrationReport = z.infer<typeof SecretMigrationReportSchema>;

/** Parses a SecretMigrationReport as the apiserver returns it. */
export function parseSecretMigrationReport(input: unknown): Parsed<SecretMigrationReport> {
  return parseWith(SecretMigrationReportSchema, input);
}
