import { keyCountOf, type Counts, type Outcome } from '#src/core/outcome.ts';
import type { Loss } from '#src/journal/loss.ts';
import { firstTroubles, lossMessage } from './messages.ts';
import { verdict, type Verdict } from './verdict.ts';

/** What the status says while a migration is taken back. `pace`: what slows the run down, see paceOf. */
export function undoing({ skipped, total }: Counts, pace?: string): Verdict {
  const message = `${skipped}/${total} keys taken back${pace === undefined ? '' : `; ${pace}`}.`;
  return verdict('Unknown', 'Unknown', 'Undoing', message);
}

export interface TakenBack {
  readonly counts: Counts;
  readonly outcomes: readonly Outcome[];
  /** What is missing from the table: nothing of it can be taken back. */
  readonly loss?: Loss | undefined;
}

/**
 * The verdict on a run that took a migration back. Succeeded is False: nobody may take it for a migration whose values are at
 * the destination.
 */
export function undone({ counts, loss, outcomes }: TakenBack): Verdict {
  const left = outcomes.filter(isLeft);
  const keys = left.reduce((sum, outcome) => sum + keyCountOf(outcome), 0);
  const stay = keys === 0 ? '' : `; ${keys} ${keys === 1 ? 'stays as it is' : 'stay as they are'}`;
  const done = `${counts.total - keys}/${counts.total} keys taken back${stay}.${firstTroubles(left, [isLeft])}`;
  const stalled = left.every(({ retry = 'never' }) => retry === 'never');
  if (loss !== undefined) {
    const lost = `${done} ${lossMessage(loss)}`;
    return { ...verdict('False', 'False', 'ReportsIncomplete', lost), stalled };
  }
  if (left.length > 0) return { ...verdict('False', 'False', 'UndoIncomplete', done), stalled };
  const next = 'Set spec.undo to false to migrate again, or delete the migration.';
  return verdict('True', 'False', 'Undone', `${done} ${next}`);
}

function isLeft({ reason, state }: Outcome): boolean {
  return state !== 'Skipped' || reason !== 'Undone';
}
