import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { RangeState } from '#src/api/v1alpha1/secret-migration-report.ts';
import { requestedRun } from '../migration/task.ts';

type Ended = RangeState['ended'];

/** True for a range whose last run was about this very spec and request. */
export function hasEnded(ended: Ended, migration: SecretMigration): boolean {
  return ended?.generation === migration.metadata.generation && ended.requested === requestedRun(migration);
}

/** The same, and there is nothing more to do for it by now. */
export function isOver(ended: Ended, migration: SecretMigration, nowMs: number): boolean {
  return hasEnded(ended, migration) && !isDue(ended, nowMs);
}

/** True for a range with more to do by now. */
export function isDue(ended: Ended, nowMs: number): boolean {
  return ended?.retryTime !== undefined && Date.parse(ended.retryTime) <= nowMs;
}
