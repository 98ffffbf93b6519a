import { randomUUID } from 'node:crypto';
import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { isReady } from '#src/controllers/conditions.ts';
import type { MigrationParts } from '#src/controllers/migration/attempt.ts';
import { reconcileMigration } from '#src/controllers/migration/reconcile.ts';
import { errorOf } from '#src/errors.ts';
import { onAbort } from '#src/io/abort.ts';
import { backoffMs } from '#src/io/retry-delay.ts';
import { objectKey } from '#src/runtime/store.ts';
import { Problem } from '../problem.ts';
import { NO_LOG } from './no-log.ts';
import { migrationPartsOf } from './parts.ts';
import { migrationIn, type Session } from './session.ts';

/** Attempts without any progress between them, for what probably passes by itself. */
const TRIES = 4;
/** A run does not wait longer for another attempt, unless it was asked to. Milliseconds. */
const PATIENCE_MS = 10_000;
const BACKOFF = { baseMs: 500, capMs: 10_000, jitter: 0.5 };

export interface RunOptions {
  /** Until the migration is complete, however long its soak is. */
  readonly wait: boolean;
  /** Ends the run: what was sent is completed and recorded. */
  readonly signal: AbortSignal;
}

/** How a run ended. */
export interface RunEnd {
  readonly migration: SecretMigration;
  /** The run was stopped before its end. */
  readonly isStopped: boolean;
  /** Milliseconds after which another run has something to do; undefined if only a change of something else gives it that. */
  readonly againAfterMs: number | undefined;
}

/**
 * Reconciles the migration as the operator does, until there is nothing left that this run can do. Failures are in its
 * conditions and rows. Throws `Problem` if the state cannot be stored.
 */
export async function runToEnd(session: Session, { signal, wait }: RunOptions): Promise<RunEnd> {
  const { clock, objects } = session;
  const parts = migrationPartsOf(session);
  using _stopping = onAbort(signal, () => parts.attempts.stopAll('It was asked to stop.'));
  signal.throwIfAborted();
  let tries = 0;
  let shown: string | undefined;
  for (;;) {
    const againAfterMs = await reconcileOnce(parts, session.migration, tries);
    requireStored(session);
    const migration = migrationIn(objects);
    const end = { migration, isStopped: signal.aborted, againAfterMs };
    tries = migration.status.progress === shown ? tries + 1 : 0;
    shown = migration.status.progress;
    if (signal.aborted || isComplete(migration) || againAfterMs === undefined) return end;
    if (!wait && (againAfterMs > PATIENCE_MS || tries >= TRIES)) return end;
    try {
      await clock.sleep(againAfterMs, signal);
    } catch {
      return { ...end, isStopped: true };
    }
  }
}

/** True if this very run found the migration complete, or its dry run without trouble. */
export function isComplete(migration: SecretMigration): boolean {
  const { metadata, status } = migration;
  const isHandled = status.lastHandledReconcileAt === metadata.annotations?.[RECONCILE_REQUESTED_ANNOTATION];
  return isHandled && isReady(migration);
}

/** One reconcile; resolves with the milliseconds until the next one is due, or undefined. Failures are in the status. */
async function reconcileOnce(
  parts: MigrationParts,
  { metadata }: SecretMigration,
  tries: number,
): Promise<number | undefined> {
  const context = { reconcileId: randomUUID(), signal: new AbortController().signal, logger: NO_LOG };
  try {
    const result = await reconcileMigration(parts, objectKey(metadata), context);
    return result.kind === 'requeue' ? result.requeueAfterMs : undefined;
  } catch (failure) {
    const { disposition, retryAfterMs } = errorOf(failure);
    if (disposition === 'waiting') return parts.waitingRetryMs;
    if (disposition !== 'transient' && disposition !== 'conflict') return undefined;
    return backoffMs(BACKOFF, tries + 1, { random: Math.random, retryAfterMs });
  }
}

function requireStored({ folder = '', objects }: Session): void {
  if (objects.storeFailure === undefined) return;
  throw new Problem(
    `The state in ${folder} cannot be written, so the run ended. No value is lost. Make room there, or name another folder with --state, then run the command again.`,
  );
}
