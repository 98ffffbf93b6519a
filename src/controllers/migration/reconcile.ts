import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { requireCapabilities } from '#src/engine/plan/capabilities.ts';
import { errorOf } from '#src/errors.ts';
import type { MigrationJournal } from '#src/journal/journal.ts';
import type { ReconcileContext, ReconcileResult } from '#src/runtime/controller.ts';
import { shortNameOf } from '../backend/names.ts';
import { openJournal, readMigration, type Attempt, type MigrationParts } from './attempt.ts';
import { carryOut } from './engine-run.ts';
import { finish } from './finish.ts';
import { MigrationStatus } from './status.ts';
import { storeReports } from './store-reports.ts';
import { isLive, nextTask } from './task.ts';

/**
 * One reconcile of one SecretMigration: gather, plan and apply, finish. Reads everything live; the cache only shows when to
 * stop. Throws OperatorErrors, after the status shows them.
 */
export async function reconcileMigration(
  parts: MigrationParts,
  key: string,
  context: ReconcileContext,
): Promise<ReconcileResult> {
  const { signal } = context;
  const migration = await readExisting(parts, key, context);
  if (migration === undefined) {
    parts.live.withdraw(key);
    return { kind: 'done' };
  }
  const { namespace, name, uid } = migration.metadata;
  const task = nextTask(migration, {
    nowMs: parts.clock.now(),
    awaitsProbe: parts.backends.awaitsProbe(migration),
    probeWaitMs: parts.waitingRetryMs,
  });
  if (!isLive(task, migration)) parts.live.withdraw(key);
  const status = new MigrationStatus(parts.status, migration, signal);
  const attempt: Attempt = { parts, migration, task, status, context, removed: { count: 0 } };
  let journal: MigrationJournal | undefined;
  try {
    if (task.kind === 'wait') return await finish(attempt, { kind: 'waiting', afterMs: task.afterMs });
    if (task.kind === 'suspend') return await finish(attempt, { kind: 'suspended' });
    if (task.kind === 'endFallback')
      return await finish(attempt, { kind: 'fallbackEnded', journal: await openJournal(attempt) });

    // Gather: both backends, their capabilities, and what earlier runs recorded.
    const backends = await parts.backends.find(migration, signal);
    await using source = await parts.pool.acquire(backends.source, { namespace, name, uid });
    await using destination = await parts.pool.acquire(backends.destination, { namespace, name, uid });
    await requireCapabilities(migration, { source, destination }, signal);
    status.setBackends({
      source: shortNameOf(backends.source),
      destination: shortNameOf(backends.destination),
    });
    journal = await openJournal(attempt, destination.driver);
    await storeReports(journal, status);
    await status.storeProgress(journal);

    // Plan and apply.
    const result = await carryOut(attempt, { backends, source, destination, journal });
    if (result.problem !== undefined) throw errorOf(result.problem);
    if (result.interrupted) return await finish(attempt, { kind: 'interrupted', journal });
    return await finish(attempt, { kind: 'finished', journal, result });
  } catch (failure) {
    return await finish(attempt, { kind: 'failed', journal, failure });
  }
}

/** The migration, unless it is gone or going; tells what is left of one that is gone. Throws `SPEC_INVALID`. */
async function readExisting(
  { halfRemoved, migrations, status }: MigrationParts,
  key: string,
  { logger, signal }: ReconcileContext,
): Promise<SecretMigration | undefined> {
  const found = await readMigration(migrations, key, signal);
  const existing = found?.metadata.deletionTimestamp === undefined ? found : undefined;
  halfRemoved.tellIfGone(key, existing?.metadata.uid, { events: status.events, logger });
  return existing;
}
