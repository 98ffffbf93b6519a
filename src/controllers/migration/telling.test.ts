import fc from 'fast-check';
import { expect, it } from 'vitest';
import { countOutcomes, type Outcome } from '#src/core/outcome.ts';
import { telling } from './telling.ts';
import { concluding } from './verdict.ts';

const states = [
  'Pending',
  'Copied',
  'Verified',
  'Verified',
  'Removed',
  'Conflict',
  'Failed',
  'Skipped',
] as const;
const reasons = ['NoRule', 'AlreadyRenamed', 'DestinationLost', 'NeedsReplan', 'PermissionDenied'] as const;
const retries = ['soon', 'later', 'never'] as const;
const outcome: fc.Arbitrary<Outcome> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    state: fc.constantFrom(...states),
    reason: fc.option(fc.constantFrom(...reasons), { nil: undefined, freq: 1 }),
    retry: fc.option(fc.constantFrom(...retries), { nil: undefined, freq: 1 }),
  })
  .map(({ reason, retry, ...rest }) => ({
    keys: ['k'],
    ...rest,
    ...(reason === undefined ? {} : { reason }),
    ...(retry === undefined ? {} : { retry }),
  }));

it('the outcomes that say something lead to the verdict that all lead to, and leave those that are alike out', () => {
  const check = (all: readonly Outcome[], awaitsSoak: boolean): void => {
    const run = { counts: countOutcomes(all), dryRun: false, awaitsSoak };
    expect(concluding({ ...run, outcomes: telling(all) })).toEqual(concluding({ ...run, outcomes: all }));
  };
  fc.assert(fc.property(fc.array(outcome, { maxLength: 8 }), fc.boolean(), check), { numRuns: 2000 });
  const alike = Array.from({ length: 1000 }, (_, index): Outcome => {
    return { name: `s-${index}`, keys: ['k'], state: index % 2 === 0 ? 'Verified' : 'Removed' };
  });
  expect(telling(alike)).toHaveLength(1);
});
