import type { Outcome } from '#src/core/outcome.ts';
import type { PlannedStep } from '../plan/plan.ts';
import { announcing } from './copy.ts';

/** The row of a planned step that is shown and not carried out. */
export function shown(step: PlannedStep): Outcome {
  if (step.kind === 'report') return step.outcome;
  const held = step.removal?.held;
  const note = held === undefined ? {} : { message: held.message };
  if (step.kind === 'overwrite') return { ...announcing(step, 'WouldOverwrite'), ...note };
  const reason = step.kind === 'create' ? 'WouldCreate' : 'WouldAdopt';
  return { ...step.row, state: 'Pending', reason, ...note };
}
