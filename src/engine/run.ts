import type { ApplyInputs, RunResult } from './apply/inputs.ts';
import { expireBackups } from './apply/expire-backups.ts';
import { Progress } from './apply/progress.ts';
import { retireSoaked } from './apply/removals.ts';
import { shown } from './apply/show.ts';
import { Transfer } from './apply/transfer.ts';
import type { Address } from '#src/core/document.ts';
import { hasCode } from '#src/errors.ts';
import { approvedGate, leftBehind } from './plan/approved.ts';
import { makePlan, startPlan, type Planning } from './plan/make-plan.ts';
import { discardCopies } from './sync/discard-copies.ts';
import { keepInStep } from './sync/keep-in-step.ts';
import { planPass } from './sync/plan-pass.ts';
import { prune } from './sync/prune.ts';
import { requireUnreservedBackups } from './plan/reserved-names.ts';
import { totalsOf } from './plan/totals.ts';
import { fenceAnnounced } from './undo/fence.ts';
import { takeBack } from './undo/take-back.ts';

/**
 * One run of a migration, top to bottom:
 *
 *   release the claims of earlier runs
 *   → take the inventory → plan each document → with dryRun, or before an approval: show the plan, and stop
 *   → carry out each step and prove its copy
 *   → only with conflictPolicy Overwrite: make the record of the current versions durable → overwrite and prove
 *   → make the record of the proofs durable → remove, back up or mark as projections the sources of documents that
 *     were proven and have soaked
 *   → only with sync.prune: remove what follows documents that were deleted
 *
 * A run can end at any point. The next run reads both backends again: it adopts an equal document, so nothing is
 * written twice; only a run that proved a document in full removes its source, after it recorded the proof.
 */
export async function runMigration(given: ApplyInputs): Promise<RunResult> {
  const inputs = withinPlan(given);
  const progress = new Progress(inputs);
  if (canHaveClaims(inputs)) await releaseClaims({ ...inputs, claimed: async () => claimable(inputs) });
  await fenceAnnounced(inputs);
  const isPass = inputs.intent.sync !== undefined && !inputs.intent.dryRun;
  const planning = await (isPass ? planPass(inputs) : startPlan(inputs));
  progress.expect(planning);
  if (inputs.intent.dryRun) await showPlan(inputs, progress, planning);
  else await applyPlan(inputs, progress, planning);
  awaitEnds(inputs, progress);
  return progress.result();
}

/** Under an approved plan no other source is removed; the decisions of a run are compared with it one by one. */
function withinPlan(inputs: ApplyInputs): ApplyInputs {
  const { approved, gates, intent } = inputs;
  if (approved === undefined || intent.dryRun) return inputs;
  return { ...inputs, gates: [...gates, approvedGate(approved)] };
}

/**
 * Makes every removal fail that an earlier run prepared and did not finish: one that sleeps in another process, under
 * another spec, or before a suspension. Throws what the source throws.
 */
export async function releaseClaims({
  claimed,
  intent,
  isStaleClaim,
  permit,
  source,
}: Pick<ApplyInputs, 'isStaleClaim' | 'permit'> & {
  /** The sources that earlier runs can have claimed, for a store that cannot list claims. */
  readonly claimed: () => Promise<Iterable<Address>>;
  readonly source: Pick<ApplyInputs['source'], 'claims'>;
  readonly intent: Pick<ApplyInputs['intent'], 'removesSources'>;
}): Promise<void> {
  try {
    await source.claims?.release(isStaleClaim, permit, claimed);
  } catch (failure) {
    // Without the right to list them, a migration that removes nothing can still copy.
    if (!hasCode(failure, 'AUTH_DENIED') || intent.removesSources) throw failure;
  }
}

/** What is kept in step claims nothing: only a run of an earlier spec can have. */
function canHaveClaims({ intent, only, trustsVersions }: ApplyInputs): boolean {
  return only === undefined && !(intent.sync !== undefined && trustsVersions);
}

/** A source is claimed after its row is durable: so each that an earlier run claimed is on record or named in the spec. */
function* claimable({ intent, prior }: Pick<ApplyInputs, 'intent' | 'prior'>): Generator<Address> {
  const { route, selection } = intent;
  const named = selection.scope.by === 'names' ? selection.scope.names : [];
  for (const name of named) yield route.sourceOf(name);
  for (const name of prior.keys()) yield route.sourceOf(name);
}

/**
 * Takes a migration back, from what its rows tell: removed sources come back, then what it wrote at the destination goes.
 * Copies nothing, and lists neither backend. The next run goes on where this one ended.
 */
export async function undoMigration(inputs: ApplyInputs): Promise<RunResult> {
  const progress = new Progress(inputs);
  await releaseClaims({ ...inputs, claimed: async () => claimable(inputs) });
  await takeBack(inputs, progress);
  return progress.result();
}

/** The work of a completed migration: expires its backups. Copies nothing and reads no source. */
export async function maintain(inputs: ApplyInputs): Promise<RunResult> {
  const progress = new Progress(inputs);
  requireUnreservedBackups(inputs);
  await expire(inputs, progress);
  return progress.result();
}

async function showPlan(inputs: ApplyInputs, progress: Progress, planning: Planning): Promise<void> {
  const { plan, problem } = await makePlan(inputs, planning, () => progress.shouldStop());
  for (const step of plan.steps) await progress.record(shown(inputs, step));
  const { leftOut } = planning.count.counts();
  progress.notePlan(totalsOf(plan, { leftOut, approved: inputs.approved }));
  if (problem !== undefined) progress.noteBackendFailure(problem);
}

async function applyPlan(inputs: ApplyInputs, progress: Progress, planning: Planning): Promise<void> {
  for await (const outcome of planning.reports()) {
    if (progress.shouldStop()) return;
    await progress.record(outcome);
  }
  const transfer = new Transfer(inputs, progress, inputs.intent.sync === undefined ? undefined : keepInStep);
  await transfer.copyAll(planning);
  await transfer.overwriteAnnounced(planning);
  if (progress.isComplete && inputs.approved !== undefined) {
    const left = leftBehind(inputs.approved, (name) => progress.hasRecorded(name));
    for (const outcome of left) await progress.record(outcome);
  }
  await retireSoaked(inputs, progress, transfer.proven);
  await prune(inputs, progress, { removals: transfer.removals, documents: planning.documents });
  await expire(inputs, progress);
  if (inputs.intent.sync !== undefined && progress.isComplete) await discardCopies(inputs);
}

async function expire(inputs: ApplyInputs, progress: Progress): Promise<void> {
  if (!progress.isComplete || inputs.intent.dryRun) return;
  const next = await expireBackups(inputs);
  if (next !== undefined) progress.wakeIn(next);
}

/** Schedules a run at the end of the fallback, and of following, so that the status does not show it as active after its time. */
function awaitEnds({ clock, intent }: Pick<ApplyInputs, 'clock' | 'intent'>, progress: Progress): void {
  for (const until of [intent.fallbackUntil, intent.sync?.untilMs]) {
    const leftMs = until === undefined ? 0 : until - clock.now();
    if (leftMs > 0) progress.wakeIn(leftMs);
  }
}
