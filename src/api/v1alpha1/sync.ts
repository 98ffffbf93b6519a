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
        'Which side leads. Source (default): the destination follows the source. Destination: the source follows the destination after the first copy; with sourcePolicy Project, this is the default and the only choice. Either: a change of one side goes to the other, and changes of both are a Conflict.',
      ),
    intervalSeconds: z
      .int()
      .min(5)
      .max(86_400)
      .optional()
      .describe(
        'Seconds between two listings of versions, for stores that report no changes: OpenBao, Vault, directories. Each interval is up to a tenth longer or shorter. Default: 30. A change of a Secret is followed at once.',
      ),
    adopt: z
      .boolean()
      .optional()
      .describe(
        'True: a Secret that another object owns (metadata.ownerReferences) is written too, as conflictPolicy allows. Default: it is a Conflict.',
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
  .describe('How mode Sync keeps both sides in step. Mode Once does not use it.');

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
