import { removesSource } from '#src/core/checks.ts';
import type { InventoryCounts } from '#src/core/inventory.ts';
import { plansRemoval } from '#src/core/outcome.ts';
import { isStillDone, type PlannedRows } from './approved.ts';
import type { Plan, PlannedStep, TransferStep } from './plan.ts';

/** What a plan would do, in documents. */
export interface PlanTotals {
  /** Documents that are absent at the destination. */
  readonly create: number;
  /** Documents that the destination has already, with equal bytes. */
  readonly adopt: number;
  readonly overwrite: number;
  /** Documents whose destination differs and stays as it is. */
  readonly conflicts: number;
  /** Sources that would be removed or moved to a backup, once their copies are proven. */
  readonly remove: number;
  /** Documents that spec.select.exclude leaves out. */
  readonly excluded: number;
  /** Documents that lose labels or annotations, as spec.mapping.metadataLoss allows. */
  readonly metadataLost: number;
}

/** Counts the steps of a plan. `approved`: what is done of it already counts only if its source is still to be removed. */
export function totalsOf(
  { steps }: Plan,
  { approved, leftOut }: Pick<InventoryCounts, 'leftOut'> & { readonly approved?: PlannedRows | undefined },
): PlanTotals {
  const excluded = excludedOf(leftOut);
  const totals: Sums = {
    create: 0,
    adopt: 0,
    overwrite: 0,
    conflicts: 0,
    remove: 0,
    excluded,
    metadataLost: 0,
  };
  for (const step of steps) {
    const row = approved?.get(nameOf(step));
    if (isStillDone(step, row))
      totals.remove += row.state === 'Verified' && plansRemoval(row.planned) ? 1 : 0;
    else if (step.kind === 'report') totals.conflicts += step.outcome.state === 'Conflict' ? 1 : 0;
    else addStep(totals, step);
  }
  return totals;
}

type Sums = { -readonly [K in keyof PlanTotals]: number };

function addStep(totals: Sums, step: TransferStep): void {
  totals[step.kind] += 1;
  if (step.row.reason === 'MetadataLost') totals.metadataLost += 1;
  if (wouldRemove(step)) totals.remove += 1;
}

function excludedOf(leftOut: InventoryCounts['leftOut']): number {
  return (leftOut.get('Excluded') ?? 0) + (leftOut.get('ExcludedType') ?? 0);
}

function nameOf(step: PlannedStep): string {
  return step.kind === 'report' ? step.outcome.name : step.row.name;
}

/** A source that a gate holds stays; one that is leaving goes by itself. */
function wouldRemove(step: TransferStep): boolean {
  if (step.removal === undefined || step.source.isLeaving === true) return false;
  return step.removal.held === undefined && removesSource({ sourcePolicy: step.removal.policy });
}
