import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countOutcomes, type Outcome } from '#src/core/outcome.ts';
import { OperatorError } from '#src/errors.ts';
import { MAX_CONDITION_MESSAGE } from '../conditions.ts';
import type { AwaitedPlan } from './messages.ts';
import { concluding, paceOf, progressing, slowedDown, type Verdict } from './verdict.ts';

function anOutcome(name: string, rest: Partial<Outcome> = {}): Outcome {
  return { name, keys: ['a', 'b'], state: 'Verified', ...rest };
}

function verdictOn(...outcomes: readonly Outcome[]): Verdict {
  return concluding({ outcomes, counts: countOutcomes(outcomes), dryRun: false, awaitsSoak: false });
}

describe('the verdict on a run that a quota slows down', () => {
  const counts = countOutcomes([anOutcome('a'), anOutcome('b', { state: 'Pending' })]);
  const lease = (title: string, rate: number | undefined) => ({
    title,
    driver: { acceptedPerSecond: () => rate },
  });

  test('shows the rate of each backend that refused requests, in one digit', () => {
    const pace = paceOf([lease('SecretBackend a', undefined), lease('SecretBackend b', 4.84)]);
    expect(progressing(counts, pace)).toMatchObject({
      ready: 'Unknown',
      reconciling: true,
      message: '2/4 keys verified; SecretBackend b accepts about 5 requests a second.',
    });
    expect(paceOf([lease('SecretBackend a', undefined)])).toBeUndefined();
  });

  test('is Progressing also when the run ended early', () => {
    expect(slowedDown(new OperatorError('RATE_LIMITED', { op: 'test' }))).toMatchObject({
      ready: 'Unknown',
      succeeded: 'Unknown',
      reason: 'Progressing',
      reconciling: true,
    });
  });
});

describe('the verdict on a dry run', () => {
  const plan = { create: 12, adopt: 37, overwrite: 0, remove: 49, metadataLost: 0 };
  const dryRun = (...outcomes: readonly Outcome[]): Verdict =>
    concluding({ outcomes, counts: countOutcomes(outcomes), dryRun: true, awaitsSoak: false, plan });
  const wouldAdopt = anOutcome('equal', { state: 'Pending', reason: 'WouldAdopt' });

  test('says what each document would meet, and nothing of a move of equal ones', () => {
    expect(dryRun(wouldAdopt)).toMatchObject({
      ready: 'True',
      succeeded: 'Unknown',
      reason: 'DryRunCompleted',
      message:
        'Dry run, in documents: would create 12, adopt 37, overwrite 0, remove 49. Nothing was written; set spec.dryRun to false to start.',
    });
  });

  test('has the same totals beside a conflict, in documents and not in keys', () => {
    const taken = anOutcome('taken', { state: 'Conflict', reason: 'DestinationDiffers' });
    const left = anOutcome('left', { state: 'Skipped' });
    expect(dryRun(wouldAdopt, taken, left)).toMatchObject({
      ready: 'False',
      reason: 'ConflictsFound',
      message: expect.stringContaining('remove 49; 1 in conflict, 1 skipped. Nothing was written'),
    });
  });

  test('counts what the selection excludes', () => {
    const leftOut = new Map([
      ['Excluded', 2],
      ['ExcludedType', 1],
      ['NotSelected', 7],
    ] as const);
    const inventory = { discovered: 11, selected: 1, leftOut };
    const counts = countOutcomes([wouldAdopt]);
    const run = { outcomes: [wouldAdopt], counts, dryRun: true, awaitsSoak: false, plan, inventory };
    expect(concluding(run).message).toContain('remove 49; 3 excluded. Nothing');
  });

  test('never succeeds, whatever it found: a script that waits for Succeeded means a real move', () => {
    const states = ['Pending', 'Copied', 'Verified', 'Removed', 'Conflict', 'Failed', 'Skipped'] as const;
    const anyState = fc.constantFrom(...states);
    fc.assert(
      fc.property(fc.array(anyState, { maxLength: 6 }), (found) => {
        const { succeeded } = dryRun(...found.map((state, index) => anOutcome(`d${index}`, { state })));
        expect(succeeded).not.toBe('True');
      }),
    );
  });
});

describe('the verdict on a plan that awaits approval', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const plan = { create: 1, adopt: 0, overwrite: 0, remove: 0, metadataLost: 0 };
  const awaited: AwaitedPlan = { digest, approved: 'nothing', name: 'move', namespace: 'ns' };
  const would = anOutcome('a', { state: 'Pending', reason: 'WouldCreate', planned: { action: 'Create' } });
  const taken = anOutcome('b', { state: 'Conflict', reason: 'DestinationDiffers', retry: 'later' });
  const verdictOf = (outcomes: readonly Outcome[], rest: Partial<AwaitedPlan> = {}): Verdict => {
    const counts = countOutcomes(outcomes);
    const run = { outcomes, counts, dryRun: false, awaitsSoak: false, plan };
    return concluding({ ...run, awaited: { ...awaited, ...rest } });
  };

  test('says what it would do and how to approve it, and nobody works on it', () => {
    expect(verdictOf([would, taken])).toMatchObject({
      ready: 'False',
      succeeded: 'Unknown',
      reason: 'AwaitingApproval',
      reconciling: false,
      stalled: false,
      message: `Plan, in documents: would create 1, adopt 0, overwrite 0, remove 0; 1 in conflict. Nothing is written before it is approved. To approve it: kubectl keyferry approve move -n ns, or kubectl patch secretmigration move -n ns --type=merge -p '{"spec":{"approval":{"digest":"${digest}"}}}'`,
    });
  });

  test('says so if the approved digest is that of another plan', () => {
    expect(verdictOf([would], { approved: 'another plan' }).message).toContain(
      'spec.approval.digest names another plan.',
    );
  });

  test('is Progressing if it is the approved one: it is carried out next', () => {
    expect(verdictOf([would], { approved: 'this plan' })).toMatchObject({
      ready: 'Unknown',
      reason: 'Progressing',
      reconciling: true,
    });
  });

  test('is that of a run if the plan would change nothing', () => {
    expect(verdictOf([taken]).reason).toBe('ConflictsFound');
    expect(verdictOf([anOutcome('a', { planned: { action: 'Create' } })]).reason).toBe('Completed');
  });

  test('waits for documents that could not be read for a moment', () => {
    const failed = anOutcome('c', { state: 'Failed', reason: 'Timeout', retry: 'soon' });
    expect(verdictOf([would, failed]).reason).toBe('PartiallyFailed');
  });
});

describe('the verdict on an approved plan', () => {
  const drifted = anOutcome('a', { state: 'Pending', reason: 'NeedsReplan' });

  test('asks for a new one when something drifted, and nothing can be tried again', () => {
    expect(verdictOn(drifted, anOutcome('b'))).toMatchObject({
      ready: 'False',
      succeeded: 'Unknown',
      reason: 'NeedsReplan',
      reconciling: true,
    });
    const failed = anOutcome('c', { state: 'Failed', reason: 'Timeout', retry: 'soon' });
    expect(verdictOn(drifted, failed).reason).toBe('PartiallyFailed');
    const violated = anOutcome('c', { state: 'Failed', reason: 'VerifyMismatch', retry: 'later' });
    expect(verdictOn(drifted, violated).reason).toBe('IntegrityViolated');
  });
});

describe('the message on a run that left something', () => {
  test('names the first rows that need a person, by name and whatever the order, failures before conflicts', () => {
    const rows = [
      anOutcome('c', { state: 'Failed', reason: 'TooLarge' }),
      anOutcome('b', { state: 'Failed', reason: 'KeyRefused' }),
      anOutcome('a', { state: 'Conflict', reason: 'DestinationDiffers' }),
      anOutcome('0'),
    ];
    for (const ordered of [rows, rows.toReversed()]) {
      expect(verdictOn(...ordered).message).toBe(
        '2/8 keys verified; 4 failed, 2 in conflict. First: "b" (KeyRefused), "c" (TooLarge), "a" (DestinationDiffers); their rows in status say what to do.',
      );
    }
    expect(verdictOn(...rows.slice(2)).message).toContain('First: "a" (DestinationDiffers); its row');
    const kept = anOutcome('kept', { reason: 'PermissionDenied', retry: 'later' });
    expect(verdictOn(kept).message).toContain('First: "kept" (PermissionDenied); its row');
  });

  test('names three and counts the others', () => {
    const failed = (name: string) => anOutcome(name, { state: 'Failed', reason: 'TooLarge' });
    const [four, five] = [['d', 'b', 'a', 'c'].map(failed), ['e', 'd', 'b', 'a', 'c'].map(failed)];
    const three = 'First: "a" (TooLarge), "b" (TooLarge), "c" (TooLarge) and';
    expect(verdictOn(...four).message).toContain(`${three} 1 other document; their rows`);
    expect(verdictOn(...five).message).toContain(`${three} 2 other documents; their rows`);
  });

  test('fits into a condition, however long the names are', () => {
    const long = (index: number) =>
      anOutcome(`${index}`.padEnd(4096, '\u00e9'), { state: 'Conflict', reason: 'DestinationDiffers' });
    const { message } = verdictOn(...[1, 2, 3, 4].map(long));
    expect(message).toContain('and 1 other document; their rows in status say what to do.');
    expect(Buffer.byteLength(message)).toBeLessThan(MAX_CONDITION_MESSAGE);
  });

  test('counts in mode Sync what is in step', () => {
    const outcomes = [
      ...'abcdefghijk'.split('').map((name) => anOutcome(name, { keys: ['k'] })),
      anOutcome('z', { keys: ['k'], state: 'Conflict', reason: 'DestinationEdited' }),
    ];
    const counts = countOutcomes(outcomes);
    const run = { outcomes, counts, dryRun: false, awaitsSoak: false, isKeptInStep: true };
    expect(concluding(run)).toMatchObject({
      ready: 'False',
      reason: 'ConflictsFound',
      message:
        '11/12 keys in step; 1 in conflict. First: "z" (DestinationEdited); its row in status says what to do.',
    });
  });
});

describe('the verdict on a run', () => {
  test('is Completed when every document needs no more work', () => {
    const trustRoot = anOutcome('token', { reason: 'TrustRoot' });
    expect(verdictOn(anOutcome('kept'), anOutcome('moved', { state: 'Removed' }), trustRoot)).toMatchObject({
      ready: 'True',
      succeeded: 'True',
      reason: 'Completed',
      message: '6/6 keys verified.',
    });
  });

  test('is not Completed while the removal of a source is retried soon', () => {
    const kept = anOutcome('kept', { reason: 'BackendUnavailable', retry: 'soon' });
    expect(verdictOn(anOutcome('moved', { state: 'Removed' }), kept)).toMatchObject({
      ready: 'Unknown',
      reason: 'Progressing',
      message: '4/4 keys verified; 1 source not removed yet.',
    });
  });

  test('is a failure when the right to remove a source is missing', () => {
    const kept = anOutcome('kept', { reason: 'PermissionDenied', retry: 'later' });
    expect(verdictOn(anOutcome('moved', { state: 'Removed' }), kept)).toMatchObject({
      ready: 'False',
      succeeded: 'False',
      reason: 'PartiallyFailed',
    });
  });

  test('is that nothing was moved, and no success, when no rule applies to any document', () => {
    const alone = anOutcome('a', { state: 'Skipped', reason: 'NoRule', keys: [] });
    expect(verdictOn(alone, { ...alone, name: 'b' })).toMatchObject({
      ready: 'False',
      succeeded: 'False',
      reason: 'NothingMoved',
    });
  });

  test('is that nothing was moved when documents already have their new names', () => {
    const renamed = anOutcome('new-a', { state: 'Skipped', reason: 'AlreadyRenamed', keys: [] });
    const other = anOutcome('b', { state: 'Skipped', reason: 'NoRule', keys: [] });
    expect(verdictOn(renamed, other)).toMatchObject({
      ready: 'True',
      succeeded: 'True',
      reason: 'NothingMoved',
    });
  });

  test('is Completed when at least one document was moved', () => {
    const other = anOutcome('b', { state: 'Skipped', reason: 'NoRule', keys: [] });
    expect(verdictOn(anOutcome('a', { state: 'Removed' }), other)).toMatchObject({ reason: 'Completed' });
  });

  describe('with rows that were lost', () => {
    const loss = { reports: 1, rows: 460, unrecoverable: true };
    const onLoss = (...outcomes: readonly Outcome[]): Verdict =>
      concluding({ outcomes, counts: countOutcomes(outcomes), dryRun: false, awaitsSoak: false, loss });

    test('is never Completed, and names what was lost and what to do', () => {
      expect(onLoss(anOutcome('moved', { state: 'Removed' }))).toMatchObject({
        ready: 'False',
        succeeded: 'False',
        reason: 'ReportsIncomplete',
        message: expect.stringMatching(
          /^2\/2 keys verified\. .* 1 of the reports, and the rows of 460 keys .* request a run /,
        ),
      });
    });

    test('is the same when no row is left, and in a dry run', () => {
      expect(onLoss().reason).toBe('ReportsIncomplete');
      const counts = countOutcomes([]);
      expect(concluding({ outcomes: [], counts, dryRun: true, awaitsSoak: false, loss }).reason).toBe(
        'ReportsIncomplete',
      );
    });

    test('names a failure first, and the loss in the message', () => {
      const verdict = onLoss(anOutcome('a', { state: 'Failed', reason: 'Timeout', retry: 'soon' }));
      expect(verdict).toMatchObject({
        reason: 'PartiallyFailed',
        message: expect.stringContaining('460 keys'),
      });
    });
  });
});
