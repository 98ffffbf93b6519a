import { z } from 'zod';
import { TimeSchema } from '#src/schema/meta.ts';

/*
 * What only `mode: Sync` uses. The fields have no defaults in the schema, so that an earlier version can read an object that
 * does not use them (docs/contributing/release.md).
 */

/** Seconds between two listings of versions, if the spec does not say. */
export const DEFAULT_INTERVAL_SECONDS = 30;
/** Percent of the documents of a migration that the passes of one hour may remove, if the spec does not say. */
export const DEFAULT_MAX_PRUNE_PERCENT = 10;

export const SyncSchema = z
  .object({
    authority: z
      .enum(['Source', 'Destination', 'Either'])
      .optional()
      .describe(
        'Whose change is followed. Source (default): the destination follows the source. Destination: the source follows the destination, as sourcePolicy Project requires. Either: a change of one side goes to the other, and changes of both are a Conflict.',
      ),
    intervalSeconds: z
      .int()
      .min(5)
      .max(86_400)
      .optional()
      .describe(
        'Seconds between two listings of the versions in a store that reports no changes (OpenBao, directories). Default: 30. A change of a Secret is followed at once.',
      ),
    adopt: z
      .boolean()
      .optional()
      .describe(
        'True: a Secret that another object owns is written too, if it is equal or conflictPolicy allows it. Default: it is a Conflict.',
      ),
    prune: z
      .boolean()
      .optional()
      .describe(
        'True: when a document is deleted at the side that leads, the other side is removed too, if Keyferry wrote it and it still has that value. Default: nothing is ever removed.',
      ),
    maxPrunePercent: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe(
        'With prune: how many percent of the documents all passes of one hour may remove, at least one document. If more are deleted, none is removed. Default: 10.',
      ),
    untilTime: TimeSchema.optional().describe(
      'Until when changes are followed. After it nothing is written or removed, and rows say which documents changed since. Default: always.',
    ),
    recreateImmutable: z
      .boolean()
      .optional()
      .describe(
        'True: an immutable Secret that must change is deleted and created again under its name. Default: it is a Conflict.',
      ),
  })
  .describe('How mode Sync keeps both sides in step; not used by mode Once.');
export type SyncSpec = z.infer<typeof SyncSchema>;

export const RolloutSchema = z
  .object({
    restart: z
      .boolean()
      .optional()
      .describe(
        'True: when a Secret gets another value, the Deployments, StatefulSets and DaemonSets restart that use it and have the annotation keyferry.io/restart-on-change: "true". Default: nothing restarts.',
      ),
  })
  .describe('What mode Sync does with the workloads that use a Secret that it changed.');
