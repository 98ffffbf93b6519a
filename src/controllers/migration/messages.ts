import type { InventoryCounts } from '#src/core/inventory.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { quoted } from '#src/errors/explain.ts';
import type { PlanTotals } from '#src/engine/plan/totals.ts';
import type { Loss } from '#src/journal/loss.ts';

interface Shown {
  readonly plan?: PlanTotals | undefined;
  readonly inventory?: InventoryCounts | undefined;
}

/** What a dry run found. Counts documents, as the steps of the plan do: the counts of keys are in the summary. */
export function dryRunMessage(outcomes: readonly Outcome[], { plan, inventory }: Shown): string {
  const numberOf = (state: Outcome['state']): number =>
    outcomes.filter((outcome) => outcome.state === state).length;
  const left = inventory?.leftOut;
  const others = listed([
    [(left?.get('Excluded') ?? 0) + (left?.get('ExcludedType') ?? 0), 'excluded'],
    [numberOf('Failed'), 'cannot be moved'],
    [numberOf('Conflict'), 'in conflict'],
    [numberOf('Skipped'), 'skipped'],
  ]);
  return `Dry run, in documents: ${plan === undefined ? 'compared' : stepsOf(plan)}${others}. Nothing was written; set spec.dryRun to false to start.`;
}

function stepsOf({ create, adopt, overwrite, remove, metadataLost }: PlanTotals): string {
  const lost = metadataLost > 0 ? `, lose labels or annotations of ${metadataLost}` : '';
  return `would create ${create}, adopt ${adopt}, overwrite ${overwrite}, remove ${remove}${lost}`;
}

/** `; 1 failed, 2 in conflict`, without the zeros; empty if all are zero. */
export function listed(numbers: readonly (readonly [number, string])[]): string {
  const parts = numbers.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  return parts.length === 0 ? '' : `; ${parts.join(', ')}`;
}

/** What needs a person, the most urgent first. */
const TROUBLES: readonly ((outcome: Outcome) => boolean)[] = [
  ({ state }) => state === 'Failed',
  ({ state }) => state === 'Conflict',
  ({ state, retry }) => state === 'Verified' && retry === 'later',
];

/**
 * The first row that needs a person, and where all of them are: ` First: "db" (TooLarge); its row in status says what to do.`
 * First by name, not by time, so that a run that finds the same changes no message.
 */
export function firstTrouble(outcomes: readonly Outcome[]): string {
  for (const isTrouble of TROUBLES) {
    let first: Outcome | undefined;
    for (const outcome of outcomes) {
      if (isTrouble(outcome) && (first === undefined || outcome.name < first.name)) first = outcome;
    }
    if (first === undefined) continue;
    const why = first.reason === undefined ? '' : ` (${first.reason})`;
    return ` First: ${quoted(first.name)}${why}; its row in status says what to do.`;
  }
  return '';
}

/** What is missing from the table of a migration, and what to do. */
export function lossMessage({ reports, rows, unrecoverable }: Loss): string {
  const lost = `Rows were lost: another writer deleted or changed ${reports} of the reports, and ${rows} rows are known to be missing.`;
  if (!unrecoverable) return `${lost} The next complete run writes them again.`;
  return `${lost} Rows of documents that the source still has are written again; rows of removed sources cannot be. Check those at the destination, then request a run to acknowledge (annotation keyferry.io/reconcile-requested-at).`;
}
