import { z } from 'zod';
import { CountSchema } from '#src/schema/meta.ts';
import { PlanDigestSchema } from './approval.ts';

/** `status.plan`: what a dry run would do, or the plan that waits for approval. */
export const PlanSchema = z
  .object({
    digest: PlanDigestSchema.optional().describe(
      'Names this plan. It covers the spec, both backends, and for each document its name, path, keys, action and versions; never a value. spec.approval.digest with this text approves the plan.',
    ),
    create: CountSchema.describe('Documents that are absent at the destination.'),
    adopt: CountSchema.describe('Documents that the destination has already, with equal bytes.'),
    overwrite: CountSchema.describe('Documents whose destination differs and would be overwritten.'),
    conflicts: CountSchema.optional().describe('Documents whose destination differs and stays as it is.'),
    remove: CountSchema.describe('Sources that would be removed, or moved to a backup.'),
    excluded: CountSchema.optional().describe('Documents that spec.select.exclude leaves out.'),
    metadataLost: CountSchema.describe(
      'Documents that would lose labels, annotations or the type of JSON values, as spec.mapping.metadataLoss allows.',
    ),
  })
  .describe(
    'What would be done, in documents: by a dry run, or by a plan that waits for approval. Absent while or after it is done.',
  );

/** `status.summary`: what became of the keys. */
export const SummarySchema = z.object({
  total: CountSchema.describe('All keys of the selection.'),
  pending: CountSchema.describe('Not copied yet.'),
  copied: CountSchema.describe('Written, not yet read back.'),
  verified: CountSchema.describe('Read back from the destination and equal, byte for byte.'),
  removed: CountSchema.describe('Verified, then removed from the source.'),
  conflict: CountSchema.describe('The destination differs; nothing was overwritten.'),
  failed: CountSchema.describe('Could not be moved.'),
  skipped: CountSchema.describe('Skipped intentionally.'),
});
