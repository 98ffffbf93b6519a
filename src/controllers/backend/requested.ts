import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { MAX_RECONCILE_TOKEN } from '#src/api/v1alpha1/secret-migration.ts';
import { beginningOf } from '#src/core/bounded-text.ts';

/*
 * A probe that a user asks for, with the annotation that asks a migration for a run.
 */

/** The opaque token of a requested probe, as the status echoes it. */
export function requestedProbe({ metadata }: Backend): string | undefined {
  const token = metadata.annotations?.[RECONCILE_REQUESTED_ANNOTATION];
  return token === undefined ? undefined : beginningOf(token, MAX_RECONCILE_TOKEN);
}

/** True for a requested probe that no status has answered yet. */
export function isRequested(backend: Backend): boolean {
  const requested = requestedProbe(backend);
  return requested !== undefined && requested !== backend.status.lastHandledReconcileAt;
}
