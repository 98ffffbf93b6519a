import { z } from 'zod';
import type { KubeObject } from '#src/kube/client.ts';

/*
 * What the table of migrations shows of each. Read leniently, as the printer columns of the CRD: an object of another version
 * is shown as far as it can be read.
 */

const word = () => z.string().optional().catch(undefined);
const count = () => z.number().optional().catch(undefined);

const SummarySchema = z.object({
  total: count(),
  verified: count(),
  removed: count(),
  skipped: count(),
  failed: count(),
  conflict: count(),
});

const ConditionSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().catch(''),
  message: z.string().catch(''),
  observedGeneration: count(),
});

const ListedSchema = z.object({
  spec: z.object({ mode: word(), dryRun: z.boolean().optional().catch(undefined) }).catch({}),
  status: z
    .object({
      conditions: z.array(ConditionSchema).catch([]),
      progress: word(),
      summary: SummarySchema.catch({}),
      backends: z.object({ source: word(), destination: word() }).catch({}),
      lastSyncTime: word(),
    })
    .catch({ conditions: [], summary: {}, backends: {} }),
});

/** A migration as the table shows it. */
export interface Listed extends z.infer<typeof ListedSchema> {
  readonly metadata: KubeObject['metadata'];
  /** The condition Ready. */
  readonly ready: z.infer<typeof ConditionSchema> | undefined;
}

export function listedOf(object: KubeObject): Listed {
  const parsed = ListedSchema.parse({ spec: {}, status: {}, ...object });
  const ready = parsed.status.conditions.find(({ type }) => type === 'Ready');
  return { ...parsed, metadata: object.metadata, ready };
}

/** Keys that are done, of all keys; undefined before the first look at the source. */
export function doneOf({ status: { summary } }: Listed): { done: number; total: number } | undefined {
  const { total, verified = 0, removed = 0, skipped = 0 } = summary;
  return total === undefined ? undefined : { done: verified + removed + skipped, total };
}
