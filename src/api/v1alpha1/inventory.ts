import { z } from 'zod';
import { CountSchema } from '#src/schema/meta.ts';

/** `status.inventory`: what became of every document that the source lists. */
export const InventorySchema = z
  .object({
    discovered: CountSchema.describe(
      'Documents that the source lists, names in select.names, and documents that earlier runs moved.',
    ),
    selected: CountSchema.describe('Those that have rows.'),
    leftOut: z
      .array(
        z
          .object({
            reason: z
              .string()
              .max(64)
              .regex(/^[A-Z][A-Za-z0-9]*$/)
              .describe('Why these documents have no rows, as one CamelCase word.'),
            documents: CountSchema.describe('Number of documents.'),
          })
          .describe('Documents without rows, for one reason.'),
      )
      .max(16)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['reason'] })
      .optional()
      .describe('Those that have no rows, by reason; absent if there are none.'),
  })
  .describe(
    'What became of every document that the source lists, in the last run that ended: discovered = selected + all of leftOut. With select.names and select.labelSelector, the source lists only matching documents.',
  );
