import { describe, expect, it } from 'vitest';
import { countOutcomes, type Outcome } from '#src/core/outcome.ts';
import { undoing, undone } from './undone.ts';

function anOutcome(rest: Partial<Outcome>): Outcome {
  return { name: 'a', keys: ['k'], state: 'Skipped', reason: 'Undone', ...rest };
}

function verdictOn(outcomes: readonly Outcome[], loss?: Parameters<typeof undone>[0]['loss']) {
  return undone({ counts: countOutcomes(outcomes), outcomes, loss });
}

describe('the verdict on a migration that is taken back', () => {
  it('is that all is as before, and never that the migration succeeded', () => {
    expect(verdictOn([anOutcome({}), anOutcome({ name: 'b' })])).toMatchObject({
      ready: 'True',
      succeeded: 'False',
      reason: 'Undone',
      message: '2/2 keys taken back. Set spec.undo to false to migrate again, or delete the migration.',
      stalled: false,
    });
    expect(verdictOn([])).toMatchObject({ ready: 'True', reason: 'Undone' });
  });

  it('names what stays, and is stalled only if nothing of it can change by itself', () => {
    const stays = anOutcome({ name: 'b', keys: ['x', 'y'], state: 'Verified', reason: 'CreatorUnknown' });
    expect(verdictOn([anOutcome({}), stays])).toMatchObject({
      ready: 'False',
      succeeded: 'False',
      reason: 'UndoIncomplete',
      message:
        '1/3 keys taken back; 2 stay as they are. First: "b" (CreatorUnknown); its row in status says what to do.',
      stalled: true,
    });
    const taken = anOutcome({ name: 'c', state: 'Removed', reason: 'SourceTaken', retry: 'later' });
    expect(verdictOn([stays, taken])).toMatchObject({ reason: 'UndoIncomplete', stalled: false });
  });

  it('says first that rows were lost: what they named is not taken back', () => {
    const loss = { reports: 1, rows: 2, unrecoverable: true };
    expect(verdictOn([anOutcome({})], loss)).toMatchObject({ ready: 'False', reason: 'ReportsIncomplete' });
  });

  it('shows progress in keys, and what slows it down', () => {
    const counts = countOutcomes([anOutcome({}), anOutcome({ name: 'b', state: 'Verified' })]);
    expect(undoing(counts)).toMatchObject({
      ready: 'Unknown',
      reason: 'Undoing',
      reconciling: true,
      message: '1/2 keys taken back.',
    });
    expect(undoing(counts, 'b accepts about 5 requests a second').message).toContain('; b accepts');
  });
});
