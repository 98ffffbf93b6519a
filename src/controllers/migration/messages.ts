import type { InventoryCounts } from '#src/core/inventory.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { quoted } from '#src/errors/explain.ts';
import type { PlanTotals } from '#src/engine/plan/totals.ts';
import type { Loss } from '#src/journal/loss.ts';

type Totals = Pick<PlanTotals, 'create' | 'adopt' | 'overwrite' | 'remove' | 'metadataLost'>;

interface Shown {
  readonly plan?: Totals | undefined;
  readonly inventory?: InventoryCounts | undefined;
}

/** What a dry run found. */
export function dryRunMessage(outcomes: readonly Outcome[], shown: Shown): string {
  return `Dry run, in documents: ${foundBy(outcomes, shown)}. Nothing was written; set spec.dryRun to false to start.`;
}

/** The plan that a person is asked to approve. */
export interface AwaitedPlan {
  readonly digest: string;
  /** What spec.approval.digest names. */
  readonly approved: 'nothing' | 'another plan' | 'this plan';
  readonly name: string;
  readonly namespace: string;
}

/** What a plan would do, and how to approve it. */
export function approvalMessage(
  outcomes: readonly Outcome[],
  shown: Shown,
  { approved, digest, name, namespace }: AwaitedPlan,
): string {
  const other = approved === 'another plan' ? ' spec.approval.digest names another plan.' : '';
  const patch = JSON.stringify({ spec: { approval: { digest } } });
  return `Plan, in documents: ${foundBy(outcomes, shown)}. Nothing is written before it is approved.${other} To approve it: kubectl keyferry approve ${name} -n ${namespace}, or kubectl patch secretmigration ${name} -n ${namespace} --type=merge -p '${patch}'`;
}

/** Counts documents, as the steps of the plan do: the counts of keys are in the summary. */
function foundBy(outcomes: readonly Outcome[], { plan, inventory }: Shown): string {
  const numberOf = (state: Outcome['state']): number =>
    outcomes.filter((outcome) => outcome.state === state).length;
  const left = inventory?.leftOut;
  const others = listed([
    [(left?.get('Excluded') ?? 0) + (left?.get('ExcludedType') ?? 0), 'excluded'],
    [numberOf('Failed'), 'cannot be moved'],
    [numberOf('Conflict'), 'in conflict'],
    [numberOf('Skipped'), 'skipped'],
    [driftedIn(outcomes), 'changed since the approved plan'],
  ]);
  return `${plan === undefined ? 'compared' : stepsOf(plan)}${others}`;
}

/** Documents that are not as they were when the approved plan was made. */
export function driftedIn(outcomes: readonly Outcome[]): number {
  return outcomes.filter(({ reason }) => reason === 'NeedsReplan').length;
}

function stepsOf({ create, adopt, overwrite, remove, metadataLost }: Totals): string {
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

/** How many documents in trouble a message names. */
const MOST_NAMED = 3;

/**
 * The first documents that need a person, and where all of them are: ` First: "db" (TooLarge); its row in status says what to
 * do.` The most urgent first, then by name and not by time, so that a run that finds the same changes no message.
 */
export function firstTroubles(
  outcomes: readonly Outcome[],
  troubles: readonly ((outcome: Outcome) => boolean)[] = TROUBLES,
): string {
  const inTrouble = troubles.flatMap((isTrouble) => outcomes.filter(isTrouble).toSorted(byName));
  if (inTrouble.length === 0) return '';
  const named = inTrouble.slice(0, MOST_NAMED).map(titleOf).join(', ');
  const others = inTrouble.length - MOST_NAMED;
  const more = others > 0 ? ` and ${others} ${others === 1 ? 'other document' : 'other documents'}` : '';
  const whose = inTrouble.length === 1 ? 'its row in status says' : 'their rows in status say';
  return ` First: ${named}${more}; ${whose} what to do.`;
}

function byName(left: Outcome, right: Outcome): number {
  return left.name < right.name ? -1 : 1;
}

/** `"db" (TooLarge)` */
function titleOf({ name, reason }: Outcome): string {
  return `${quoted(name)}${reason === undefined ? '' : ` (${reason})`}`;
}

/** What is missing from the table of a migration, and what to do. */
export function lossMessage({ reports, rows, unrecoverable }: Loss): string {
  const lost = `Rows were lost: another writer deleted or changed ${reports} of the reports, and the rows of ${rows} keys are known to be missing.`;
  if (!unrecoverable) return `${lost} The next complete run writes them again.`;
  return `${lost} Rows of documents that the source still has are written again; rows of removed sources cannot be. Check those at the destination, then request a run to acknowledge (annotation keyferry.io/reconcile-requested-at).`;
}
