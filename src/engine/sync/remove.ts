import { sameVersion, tiesOf, type Expectation, type ReadResult } from '#src/core/document.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { otherSide, type BySide, type Side } from '#src/core/sync/observed.ts';
import { afterEndOf, changedMeanwhile, leavingAfterPrune } from '#src/core/sync/said.ts';
import { decideSync, type RemoveStep, type SyncStep } from '#src/core/sync/three-way.ts';
import { errorOf, isAbort, type OperatorError } from '#src/errors.ts';
import { inTime } from '../apply/in-time.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import type { AwaitedRemoval, Copied } from '../apply/proof.ts';
import { removalPermit } from '../apply/retire.ts';
import { keyOf } from '../crossings.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { failedOutcome } from '../failure.ts';
import { heldBy, type Held, type RemovalCandidate } from '../gates.ts';
import type { PlannedDocument } from '../plan/plan.ts';
import { baseOf, observe } from './observe.ts';

/**
 * Removes one document whose other side was deleted:
 *
 *   a gate holds it?  it stays
 *   lock both locations in this process
 *   → read the document, then the other side, and decide again: only if it is the same step with the same versions
 *   → a gate holds it, now that it is known what depends on it?  it stays
 *   → the store of the other side is being deleted?  the document stays
 *   → delete it, with the version that was read as the precondition, and at most 5 s after the reads → Removed
 *
 * It is not claimed as a source is (claims fence a process that sleeps): a claim makes a version that no row has, so a removal that
 * is cut off there could never be decided again. What a late removal takes has the bytes of the base, which the other side
 * has too if it is there again, and the next pass writes them.
 */
export async function removeFollowing(inputs: ApplyInputs, removal: AwaitedRemoval): Promise<Copied> {
  const { document, step } = removal;
  const { retry: _soon, ...row } = removal.outcome;
  const held = await heldAt(inputs, step.from, document);
  if (held !== undefined) return { outcome: { ...row, state: 'Skipped', ...held } };
  const { destination, source } = inputs;
  const locations = [source.locationOf(document.source), destination.locationOf(document.destination)];
  try {
    const time = { ms: DEADLINES_MS.removal, op: 'engine.prune', target: document[step.from] };
    return await inTime(inputs, time, async (timed) =>
      timed.locks.runAll(
        locations.map(keyOf),
        async () => ({ outcome: await proveAndRemove(timed, { document, step, row }) }),
        timed.signal,
      ),
    );
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    return { outcome: failedOutcome(row, failure), failure };
  }
}

async function heldAt(
  { destinationGates, gates, signal }: Pick<ApplyInputs, 'destinationGates' | 'gates' | 'signal'>,
  from: Side,
  { destination, name, source, ties }: PlannedDocument & Pick<RemovalCandidate, 'ties'>,
): Promise<Held | undefined> {
  const known = ties === undefined ? {} : { ties };
  const asked = { for: 'removal', signal } as const;
  if (from === 'source') return heldBy(gates, { name, source, ...known }, asked);
  return heldBy(destinationGates, { name: destination, source: destination, ...known }, asked);
}

interface Task {
  readonly document: PlannedDocument;
  readonly step: RemoveStep;
  /** The row, without what becomes of the document. */
  readonly row: Outcome;
}

async function proveAndRemove(inputs: ApplyInputs, task: Task): Promise<Outcome> {
  const { document, row, step } = task;
  const { from } = step;
  const leader = otherSide(from);
  const startedAt = inputs.clock.monotonic();
  const following = await inputs[from].read(document[from], inputs.signal);
  const leading = await inputs[leader].read(document[leader], inputs.signal);
  const reads =
    from === 'source'
      ? { source: following, destination: leading }
      : { source: leading, destination: following };
  if (!isSame(step, await decideAgain(inputs, document, reads))) return changed(task, reads);
  if (following.state === 'present') {
    const held = await heldAt(inputs, from, { ...document, ties: tiesOf(following.document) });
    if (held !== undefined) return { ...row, state: 'Skipped', ...held };
  }
  // After the read: the documents of a namespace go after it began to.
  if (await inputs[leader].isLeaving(inputs.signal))
    return { ...row, state: 'Skipped', ...afterEndOf(leader, 'storeLeaving') };
  const isSent = await remove(inputs, task, startedAt);
  return afterRemoval(inputs, task, isSent);
}

async function decideAgain(
  inputs: ApplyInputs,
  document: PlannedDocument,
  reads: BySide<ReadResult>,
): Promise<SyncStep | undefined> {
  const { sync } = inputs.intent;
  const base = baseOf(inputs.prior.get(document.name), document, reads);
  if (sync === undefined || base === undefined) return undefined;
  return decideSync(sync, await observe(inputs, sync, { document, reads, base }));
}

function isSame(before: RemoveStep, now: SyncStep | undefined): boolean {
  return (
    now?.kind === 'remove' &&
    now.from === before.from &&
    sameVersion(now.expect, before.expect) &&
    sameExpectation(now.whileOther, before.whileOther)
  );
}

function sameExpectation(left: Expectation, right: Expectation): boolean {
  return left === 'absent' || right === 'absent' ? left === right : sameVersion(left, right);
}

/** `undecided`: nothing tells whether the document was removed by this request. */
async function remove(
  inputs: ApplyInputs,
  { document, step }: Task,
  startedAt: number,
): Promise<{ readonly undecided?: OperatorError }> {
  const { from, expect } = step;
  try {
    await inputs[from].delete(document[from], expect, removalPermit(inputs, startedAt, 'engine.prune'));
    return {};
  } catch (failure) {
    const undecided = errorOf(failure);
    const { code, indeterminate } = undecided;
    if (code === 'VERSION_CONFLICT' || code === 'NOT_FOUND' || indeterminate) return { undecided };
    throw failure;
  }
}

/** Reads what became of it, also after a stop. */
async function afterRemoval(
  { permit, ...inputs }: ApplyInputs,
  task: Task,
  { undecided }: { readonly undecided?: OperatorError },
): Promise<Outcome> {
  const { document, row, step } = task;
  const isLost = undecided?.indeterminate === true;
  const found = await inputs[step.from].read(document[step.from], permit.toComplete.signal);
  if (found.state === 'present') {
    if (found.document.isLeaving === true) return { ...row, ...leavingAfterPrune(step.from), retry: 'later' };
    if (isLost) throw undecided;
    return { ...row, state: 'Pending', ...changedMeanwhile(step.from), retry: 'soon' };
  }
  // Another writer removed it.
  if (undecided !== undefined && !isLost)
    return { ...row, state: 'Pending', ...changedMeanwhile(step.from), retry: 'soon' };
  if (step.from === 'source') inputs.onRemoved();
  return { ...row, state: 'Removed', reason: step.reason, message: step.message };
}

function changed({ row, step }: Task, reads: BySide<ReadResult>): Outcome {
  const { expect, from } = step;
  const found = reads[from];
  const isStill = found.state === 'present' && sameVersion(found.document.version, expect);
  const side = isStill ? otherSide(from) : from;
  return { ...row, state: 'Pending', ...changedMeanwhile(side), retry: 'soon' };
}
