import type { Address } from '#src/core/document.ts';
import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { recordedBase } from '#src/core/sync/base.ts';
import { otherSide, type Side } from '#src/core/sync/observed.ts';
import { countPruning, isKept, isOverLimit, wasPruned } from '#src/core/sync/pruning.ts';
import { afterEndOf, limited } from '#src/core/sync/said.ts';
import { isAbort, isBackendWide } from '#src/errors.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import type { Progress } from '../apply/progress.ts';
import type { AwaitedRemoval } from '../apply/proof.ts';
import { removeFollowing } from './remove.ts';

/**
 * Removes what follows documents that were deleted, after all other documents of a pass:
 *
 *   did a listing or a backend fail?               nothing is removed, and the next pass decides again
 *   more than sync.maxPrunePercent in an hour?     none of them is removed: Conflict
 *   make the rows that announce it durable
 *   → nothing shows that the side that leads is still the same store?  they stay
 *   → remove one after the other (remove.ts)
 *
 * A store that was emptied, exchanged or restored looks like one whose documents were deleted. So a document that is proven to be
 * gone is not enough: another document of the migration must be there in the incarnation that a row has.
 */
export async function prune(
  inputs: ApplyInputs,
  progress: Progress,
  {
    removals,
    expected,
  }: { readonly removals: readonly AwaitedRemoval[]; readonly expected: readonly Outcome[] },
): Promise<void> {
  const { clock, intent, journal, only } = inputs;
  if (intent.sync === undefined) return;
  await forgetOld(inputs);
  if (removals.length === 0) return;
  if (!progress.isComplete || progress.shouldStop()) return;
  const count = countPruning({
    prior: journal.prior,
    expected: expected.map(({ name }) => name),
    awaiting: new Set(removals.map(({ document }) => document.name)),
    only,
    percent: intent.sync.maxPrunePercent,
    now: clock.now(),
  });
  if (isOverLimit(count)) {
    for (const { outcome, step } of removals)
      await progress.record({ ...outcome, state: 'Conflict', ...limited(step.from, count), retry: 'later' });
    return;
  }
  await journal.flush();
  for (const [from, each] of Map.groupBy(removals, ({ step }) => step.from))
    await pruneAt(inputs, progress, { from, removals: each });
}

/** The rows of removals that no longer count, where this pass does not look at them. */
async function forgetOld({
  clock,
  journal,
  only,
}: Pick<ApplyInputs, 'clock' | 'journal' | 'only'>): Promise<void> {
  for (const row of journal.prior.values()) {
    const isOld = wasPruned(row) && !isKept(row, clock.now());
    if (isOld && only !== undefined && !only.has(row.name)) await journal.forget(row.name);
  }
}

async function pruneAt(
  inputs: ApplyInputs,
  progress: Progress,
  { from, removals }: { readonly from: Side; readonly removals: readonly AwaitedRemoval[] },
): Promise<void> {
  const leader = otherSide(from);
  if (!(await isSameStore(inputs, leader, new Set(removals.map(({ document }) => document.name))))) {
    for (const { outcome } of removals)
      await progress.record({ ...outcome, state: 'Skipped', ...afterEndOf(leader, 'unwitnessed') });
    return;
  }
  for (const removal of removals) {
    if (progress.shouldStop()) return;
    const { failure, outcome } = await removeFollowing(inputs, removal);
    if (isBackendWide(failure)) progress.noteBackendFailure(failure);
    await progress.record(outcome);
  }
}

/** Documents that are read, at most, to find one that a row knows. */
const MAX_WITNESSES = 5;

/** True if another document is at this side in the incarnation that its row has: the store is the one of the rows. */
async function isSameStore(inputs: ApplyInputs, side: Side, except: ReadonlySet<string>): Promise<boolean> {
  const { journal, signal } = inputs;
  let witnesses: Witness[] = [];
  for (const row of journal.prior.values()) {
    if (except.has(row.name)) continue;
    witnesses.push(...witnessIn(inputs, side, row));
    if (witnesses.length > MAX_WITNESSES) witnesses = witnesses.toSorted(byWitness).slice(0, MAX_WITNESSES);
  }
  for (const { address, identity } of witnesses.toSorted(byWitness)) {
    try {
      const found = await inputs[side].read(address, signal);
      if (found.state === 'present' && found.document.version.identity === identity) return true;
    } catch (failure) {
      // It says nothing; another one may.
      if (isAbort(failure, signal)) throw failure;
    }
  }
  return false;
}

interface Witness {
  readonly address: Address;
  readonly identity: string;
  /** Most likely it is there. */
  readonly isInStep: boolean;
  readonly since: number;
}

/** The most likely one first, then the latest. */
function byWitness(left: Witness, right: Witness): number {
  return Number(right.isInStep) - Number(left.isInStep) || right.since - left.since;
}

function witnessIn(
  { intent }: Pick<ApplyInputs, 'intent'>,
  side: Side,
  row: PriorRecord,
): readonly Witness[] {
  const path = row.destination?.path;
  if (path === undefined) return [];
  const identity = recordedBase(row, path)?.[side]?.identity;
  const address = side === 'destination' ? path : intent.route.sourceOf(row.name);
  const isInStep = row.state === 'Verified';
  return identity === undefined ? [] : [{ address, identity, isInStep, since: row.since }];
}
