import { removesSource } from '#src/core/checks.ts';
import type { Plan, PlannedStep } from './plan.ts';

/** What a plan would do, in documents. */
export interface PlanTotals {
  /** Documents that are absent at the destination. */
  readonly create: number;
  /** Documents that the destination has already, with equal bytes. */
  readonly adopt: number;
  readonly overwrite: number;
  /** Sources that would be removed or moved to a backup, once their copies are proven. */
  readonly remove: number;
}

/** Counts the steps of a plan. */
export function totalsOf({ steps }: Plan): PlanTotals {
  const totals = { create: 0, adopt: 0, overwrite: 0, remove: 0 };
  for (const step of steps) {
    if (step.kind !== 'report') totals[step.kind] += 1;
    if (wouldRemove(step)) totals.remove += 1;
  }
  return totals;
}

/** A source that a gate holds stays; one that is leaving goes by itself. */
function wouldRemove(step: PlannedStep): boolean {
  if (step.kind === 'report' || step.removal === undefined || step.source.isLeaving === true) return false;
  return step.removal.held === undefined && removesSource({ sourcePolicy: step.removal.policy });
}
