import { recordedOutcome, type Outcome, type PriorRecord } from '#src/core/outcome.ts';
import { isStillDone } from '../plan/approved.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { PlannedStep, TransferStep } from '../plan/plan.ts';
import { plannedOf } from '../plan/planned.ts';
import { announcing } from './copy.ts';

/**
 * The row of a planned step that is shown and not carried out. What is done of an approved plan keeps its row, and what drifted
 * from one still says so.
 */
export function shown(
  { approved, prior }: Pick<PlanInputs, 'approved' | 'prior'>,
  step: PlannedStep,
): Outcome {
  const name = step.kind === 'report' ? step.outcome.name : step.row.name;
  const done = approved?.get(name);
  if (isStillDone(step, done)) return recordedOutcome(done);
  const before = approved === undefined ? undefined : prior.get(name);
  return { ...shownStep(step, before), planned: plannedOf(step) };
}

function shownStep(step: PlannedStep, before: PriorRecord | undefined): Outcome {
  if (step.kind === 'report') return step.outcome;
  if (before?.reason === 'NeedsReplan') return drifted(step, before);
  const held = step.removal?.held;
  const note = held === undefined ? {} : { message: held.message };
  if (step.kind === 'overwrite') return { ...announcing(step, 'WouldOverwrite'), ...note };
  const reason = step.kind === 'create' ? 'WouldCreate' : 'WouldAdopt';
  return { ...step.row, state: 'Pending', reason, ...note };
}

/** Without a version to restore: an announced overwrite has another reason. */
function drifted({ row }: TransferStep, { message }: PriorRecord): Outcome {
  return { ...row, state: 'Pending', reason: 'NeedsReplan', ...(message === undefined ? {} : { message }) };
}
