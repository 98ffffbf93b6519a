import type { ConditionReason, ConditionType } from '#src/api/v1alpha1/conditions.ts';
import type { Condition } from '#src/schema/meta.ts';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { toKubernetesTime } from './row-table.ts';
import type { Verdict } from './verdict.ts';

type Status = Condition['status'];

export interface Statement {
  readonly type: ConditionType;
  readonly status: Status;
  readonly reason: ConditionReason;
  readonly message: string;
}

/**
 * Conditions for these statements about `generation`. lastTransitionTime moves only when the status does. A type that is
 * not stated is dropped: Reconciling, Stalled and Suspended exist only while they are true (kstatus).
 */
export function toConditions(
  statements: readonly Statement[],
  before: readonly Condition[],
  about: { readonly generation: number; readonly nowMs: number },
): Condition[] {
  return statements.map((statement) => {
    const old = before.find((condition) => condition.type === statement.type);
    return {
      ...statement,
      message: statement.message.slice(0, 1024),
      observedGeneration: about.generation,
      lastTransitionTime:
        old !== undefined && old.status === statement.status
          ? old.lastTransitionTime
          : toKubernetesTime(about.nowMs),
    };
  });
}

/** The condition Ready of an object of ours, whatever generation it is about. */
export function readyOf(status: {
  readonly conditions?: readonly Condition[] | undefined;
}): Condition | undefined {
  return status.conditions?.find((condition) => condition.type === 'Ready');
}

/** Ready, and that of the spec as it is now. */
export function isReady({ metadata, status }: Backend | SecretMigration): boolean {
  const ready = readyOf(status);
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation;
}

/** What a verdict says, condition by condition. */
export function statementsOf(verdict: Verdict): Statement[] {
  const { reason, message } = verdict;
  const statements: Statement[] = [
    { type: 'Ready', status: verdict.ready, reason, message },
    { type: 'Succeeded', status: verdict.succeeded, reason, message },
  ];
  if (verdict.reconciling) statements.push({ type: 'Reconciling', status: 'True', reason, message });
  if (verdict.stalled) statements.push({ type: 'Stalled', status: 'True', reason, message });
  if (verdict.suspended) statements.push({ type: 'Suspended', status: 'True', reason, message });
  return statements;
}
