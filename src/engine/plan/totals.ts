import { removesSource } from '#src/core/checks.ts';
import type { Plan, TransferStep } from './plan.ts';

/** What a plan would do, in documents. */
export interface PlanTotals {
  /** Documents that are absent at the destination. */
  readonly create: number;
  /** Documents that the destination has already, with equal bytes. */
  readonly adopt: number;
  readonly overwrite: number;
  /** Sources that would be removed or moved to a backup, once their copies are proven. */
  readonly remove: number;
  /** Documents that lose labels or annotations, as spec.mapping.metadataLoss allows. */
  readonly metadataLost: number;
}

/** Counts the steps of a plan. */
export function totalsOf({ steps }: Plan): PlanTotals {
  const totals = { create: 0, adopt: 0, overwrite: 0, remove: 0, metadataLost: 0 };
  for (const step of steps) {
    if (step.kind === 'report') continue;
    totals[step.kind] += 1;
    if (step.row.reason === 'MetadataLost') totals.metadataLost += 1;
    if (wouldRemove(step)) totals.remove += 1;
  }
  return totals;
}

/** A source that a gate holds stays; one that is leaving goes by itself. */
function wouldRemove(step: TransferStep): boolean {
  if (step.removal === undefined || step.source.isLeaving === true) return false;
  return step.removal.held === undefined && removesSource({ sourcePolicy: step.removal.policy });
}
