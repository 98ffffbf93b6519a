import { z } from 'zod';
import { RESTART_ON_CHANGE_ANNOTATION, RESTARTED_FOR_ANNOTATION } from '#src/api/group.ts';
import { restartedFor, type RestartedFor } from './restarted-for.ts';
import { secretsUsedBy } from './used-secrets.ts';

const Annotations = z.record(z.string(), z.string()).nullish().catch(undefined);

/** What is read of a Deployment, StatefulSet or DaemonSet (k8s.io/api apps/v1). */
const Workload = z.object({
  metadata: z.object({ annotations: Annotations, deletionTimestamp: z.string().nullish() }),
  spec: z.object({
    paused: z.boolean().nullish(),
    template: z.object({
      metadata: z.object({ annotations: Annotations }).nullish().catch(undefined),
      spec: z.unknown(),
    }),
  }),
});

/** What a change of Secrets means for a workload. */
export type Decision =
  | { readonly kind: 'restart'; readonly restart: RestartedFor }
  /** It would restart, but must not now. */
  | { readonly kind: 'paused'; readonly restart: RestartedFor }
  | { readonly kind: 'nothing' };

const NOTHING: Decision = { kind: 'nothing' };

/**
 * Whether this workload, as the API server has it, restarts because these Secrets of its namespace changed (name → revision):
 * it uses one of them, its owner opted in, it is not being deleted, and it was not restarted for this revision before.
 */
export function decide(object: unknown, changed: ReadonlyMap<string, string>): Decision {
  const workload = Workload.safeParse(object).data;
  if (workload === undefined || !wantsRestarts(workload)) return NOTHING;
  const { paused, template } = workload.spec;
  const before = template.metadata?.annotations?.[RESTARTED_FOR_ANNOTATION];
  const restart = restartedFor(before, secretsUsedBy(template.spec), changed);
  if (restart === undefined) return NOTHING;
  return { kind: paused === true ? 'paused' : 'restart', restart };
}

function wantsRestarts({ metadata: { annotations, deletionTimestamp } }: z.output<typeof Workload>): boolean {
  return annotations?.[RESTART_ON_CHANGE_ANNOTATION] === 'true' && typeof deletionTimestamp !== 'string';
}

/** The members that restart it: a pod template that differs in one annotation, as `kubectl rollout restart` makes one. */
export function restartPatch({ text }: RestartedFor): object {
  return { spec: { template: { metadata: { annotations: { [RESTARTED_FOR_ANNOTATION]: text } } } } };
}
