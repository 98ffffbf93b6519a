import type { Outcome } from '#src/core/outcome.ts';
import { resolved, type ConflictStep } from '#src/core/sync/resolution.ts';
import { CHOOSE } from '#src/core/sync/said.ts';
import type { Observed } from '#src/core/sync/observed.ts';
import type { SyncStep } from '#src/core/sync/three-way.ts';
import { noted } from '../failure.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { SyncIntent } from '../plan/intent.ts';
import type { PlannedDocument } from '../plan/plan.ts';

/** The step, or what the user decided if it is a conflict. */
export function asResolved(
  { prior }: Pick<PlanInputs, 'prior'>,
  { resolutions, authority }: Pick<SyncIntent, 'resolutions' | 'authority'>,
  {
    document: { name },
    observed,
    step,
  }: { readonly document: PlannedDocument; readonly observed: Observed; readonly step: SyncStep },
): SyncStep {
  if (step.kind !== 'conflict') return step;
  const { message, reason } = step;
  const conflict = { kind: 'conflict', reason, message } as const;
  return resolved({ policy: { authority }, observed, conflict, shown: prior.get(name) }, resolutions, name);
}

/** The conflict in which a first copy ended, if a resolution can end it: the two documents differ. */
export function conflictOf(outcome: Outcome): ConflictStep | undefined {
  const { reason, state } = outcome;
  if (state !== 'Conflict') return undefined;
  if (reason !== 'DestinationDeleted' && reason !== 'DestinationDiffers') return undefined;
  const { message = '' } = noted(outcome, `Or ${CHOOSE}.`);
  return { kind: 'conflict', reason, message };
}
