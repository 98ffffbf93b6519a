import { z } from 'zod';
import { CountSchema } from '#src/schema/meta.ts';

/** `status.plan`: what a dry run would do. */
export const PlanSchema = z
  .object({
    create: CountSchema.describe('Documents that are absent at the destination.'),
    adopt: CountSchema.describe('Documents that the destination has already, with equal bytes.'),
    overwrite: CountSchema.describe('Documents whose destination differs and would be overwritten.'),
    remove: CountSchema.describe('Sources that would be removed, or moved to a backup.'),
    metadataLost: CountSchema.describe(
      'Documents that would lose labels, annotations or the type of JSON values, as spec.mapping.metadataLoss allows.',
    ),
  })
  .describe('What the dry run would do, in documents; absent in a real run.');

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
