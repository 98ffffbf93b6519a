import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { isReady, readyOf } from '#src/controllers/conditions.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';

/** True if the operator has seen the spec as it is now. */
export function isCurrent({ metadata, status }: SecretMigration): boolean {
  return readyOf(status)?.observedGeneration === metadata.generation;
}

/** True while a run is going on or due. */
export function isRunning({ status }: SecretMigration): boolean {
  return status.conditions?.some(({ type }) => type === 'Reconciling') === true;
}

/** True when the current spec has completed. What is kept in step never completes. */
export function hasCompleted(migration: SecretMigration): boolean {
  return isReady(migration) && !isKeptInStep(migration);
}
