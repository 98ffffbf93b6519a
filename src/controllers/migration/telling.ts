import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import { needsApproval } from './approval.ts';

/**
 * The outcomes that the end of a run looks at. Of a run that only copies, these are the ones that say something, and one of all
 * others for them: a large migration has hundreds of thousands, nearly all alike, and the counters know how many. A plan, a run that
 * takes back, and what is kept in step need every one.
 */
export function tellingOutcomes(migration: SecretMigration, all: Iterable<Outcome>): readonly Outcome[] {
  const { dryRun, undo } = migration.spec;
  const needsAll = dryRun || undo === true || needsApproval(migration) || isKeptInStep(migration);
  return needsAll ? [...all] : telling(all);
}

/** These outcomes without those that say nothing but that their document is verified or removed; one of these stays. */
export function telling(all: Iterable<Outcome>): readonly Outcome[] {
  const kept: Outcome[] = [];
  let hasPlain = false;
  for (const outcome of all) {
    if (isPlain(outcome)) {
      if (hasPlain) continue;
      hasPlain = true;
    }
    kept.push(outcome);
  }
  return kept;
}

function isPlain({ planned, reason, retry, state }: Outcome): boolean {
  const isDone = state === 'Verified' || state === 'Removed';
  return isDone && reason === undefined && retry === undefined && planned === undefined;
}
