import { CONDITION_TYPES, type ConditionType } from '#src/api/v1alpha1/conditions.ts';
import { toKubernetesTime, type Condition } from '#src/schema/meta.ts';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { documentation, pageOf } from '#src/errors/documentation.ts';
import { shortened } from '#src/errors/explain.ts';
import type { ConditionReason } from '#src/errors/reasons.ts';

/** Maximum bytes of the message of a condition, and of the note of an event. */
export const MAX_CONDITION_MESSAGE = 1024;

type Status = Condition['status'];

export interface Statement {
  readonly type: ConditionType;
  readonly status: Status;
  readonly reason: ConditionReason;
  readonly message: string;
}

/**
 * Conditions for these statements about `generation`. lastTransitionTime changes only with the status. A type that is
 * not stated is dropped: Reconciling, Stalled and Suspended exist only while they are true (kstatus). Types that are not
 * ours stay as they are, after ours: a newer version or another controller wrote them. While Ready is False, each message
 * ends with the page that explains its reason.
 */
export function toConditions(
  statements: readonly Statement[],
  before: readonly Condition[],
  about: { readonly generation: number; readonly nowMs: number },
): Condition[] {
  const isTrouble = statements.some(({ type, status }) => type === 'Ready' && status === 'False');
  const ours = statements.map((statement) => {
    const old = before.find((condition) => condition.type === statement.type);
    return {
      ...statement,
      message: messageShown(statement, isTrouble),
      observedGeneration: about.generation,
      lastTransitionTime:
        old !== undefined && old.status === statement.status
          ? old.lastTransitionTime
          : toKubernetesTime(about.nowMs),
    };
  });
  return [...ours, ...before.filter(({ type }) => !Object.hasOwn(CONDITION_TYPES, type))];
}

/** The message of a condition, and the note of an event about it: with the page of the reason while Ready is False. */
export function messageShown(statement: Pick<Statement, 'reason' | 'message'>, isTrouble: boolean): string {
  return isTrouble ? withPage(statement) : shortened(statement.message, MAX_CONDITION_MESSAGE);
}

/** A message that quotes the condition of a backend has the page of the cause already. */
function withPage({ reason, message }: Pick<Statement, 'reason' | 'message'>): string {
  const known = message.includes(documentation('reasons.md'));
  const page = known ? '' : ` See ${documentation(pageOf(reason))}.`;
  return shortened(message, MAX_CONDITION_MESSAGE - page.length) + page;
}

/** The Ready condition of an object, for any generation. */
export function readyOf(status: {
  readonly conditions?: readonly Condition[] | undefined;
}): Condition | undefined {
  return status.conditions?.find((condition) => condition.type === 'Ready');
}

/** True when the object is Ready for its current generation. */
export function isReady({ metadata, status }: Backend | SecretMigration): boolean {
  const ready = readyOf(status);
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation;
}
