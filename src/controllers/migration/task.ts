import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { MAX_RECONCILE_TOKEN, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { beginningOf } from '#src/core/bounded-text.ts';
import { endOfUse } from '#src/journal/fallback-use.ts';
import { isKeptInStep } from '#src/engine/plan/sync-intent.ts';
import { isReady } from '../conditions.ts';
import { awaitsApproval } from './approval.ts';

/** What one reconcile of a migration does next. */
export type Task =
  /** Nothing yet: reconcile again after `afterMs`, or when a watch wakes it. */
  | { readonly kind: 'wait'; readonly afterMs?: number }
  /** Show that the migration is suspended. */
  | { readonly kind: 'suspend' }
  /** Show that the fallback ended. This needs no backend. */
  | { readonly kind: 'endFallback' }
  /** Migrate the whole selection. In mode Sync: the pass that everything after it follows. */
  | { readonly kind: 'run' }
  /** Mode Sync, after a pass: process the documents that may have changed. */
  | { readonly kind: 'follow' }
  /** Expire backups after a run has completed. */
  | { readonly kind: 'maintain' }
  /** Take the migration back, as spec.undo asks. */
  | { readonly kind: 'undo' };

/** What the task depends on besides the migration. */
export interface Circumstances {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** A backend of the migration changed and was not probed yet. */
  readonly awaitsProbe: boolean;
  /** Mode Sync: this process has passed over the selection of this generation, and knows what changed since. */
  readonly isFollowed: boolean;
  /** Milliseconds until a migration that awaits a probe is reconciled again. */
  readonly probeWaitMs: number;
}

/** The opaque token of a requested run, as the status echoes it. */
export function requestedRun(migration: SecretMigration): string | undefined {
  const token = migration.metadata.annotations?.[RECONCILE_REQUESTED_ANNOTATION];
  return token === undefined ? undefined : beginningOf(token, MAX_RECONCILE_TOKEN);
}

/** The next task. Pure: same arguments, same task. */
export function nextTask(migration: SecretMigration, circumstances: Circumstances): Task {
  const { spec } = migration;
  const isCompleted = hasCompleted(migration);
  if (isCompleted && (spec.undo === true || spec.backupTTLSeconds === undefined))
    return afterCompletion(migration, circumstances.nowMs);
  if (spec.suspend) return { kind: 'suspend' };
  return untilAsked(migration, circumstances) ?? { kind: isCompleted ? 'maintain' : whole(spec) };
}

/** What is done instead of a whole run, as long as nobody asks for one; undefined: nothing is in its way. */
function untilAsked(migration: SecretMigration, circumstances: Circumstances): Task | undefined {
  const isAsked = isRequested(migration);
  if (awaitsApproval(migration) && !isAsked) return { kind: 'wait' };
  if (circumstances.awaitsProbe) return { kind: 'wait', afterMs: circumstances.probeWaitMs };
  return circumstances.isFollowed && !isAsked ? { kind: 'follow' } : undefined;
}

function whole({ undo }: SecretMigration['spec']): 'run' | 'undo' {
  return undo === true ? 'undo' : 'run';
}

/** True while the migration can copy and remove documents, now or when a backend is ready again. */
export function isLive(task: Task, migration: SecretMigration): boolean {
  if (task.kind === 'wait') return !hasCompleted(migration);
  return task.kind === 'run' || task.kind === 'follow' || task.kind === 'undo';
}

/** True when this generation and the last requested run have completed. What is kept in step never completes. */
function hasCompleted(migration: SecretMigration): boolean {
  return !isKeptInStep(migration) && isReady(migration) && !isRequested(migration);
}

/** True for a requested run that no verdict has answered yet. */
function isRequested(migration: SecretMigration): boolean {
  const requested = requestedRun(migration);
  return requested !== undefined && requested !== migration.status.lastHandledReconcileAt;
}

function afterCompletion(migration: SecretMigration, nowMs: number): Task {
  const end = endOfUse(migration);
  if (end === undefined || migration.spec.undo === true) return { kind: 'wait' };
  const leftMs = end - nowMs;
  return leftMs > 0 ? { kind: 'wait', afterMs: leftMs } : { kind: 'endFallback' };
}
