import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { isAbort } from '#src/errors.ts';
import { ROW_TIME_RESOLUTION_MS, type ApplyInputs } from './inputs.ts';

/** After how long a backup that could not be removed is looked at again. */
const RETRY_MS = 60_000;

type Inputs = Pick<
  ApplyInputs,
  'intent' | 'source' | 'destination' | 'journal' | 'clock' | 'logger' | 'signal' | 'shouldStop'
>;

/**
 * Removes the backups whose time has come, of documents that the destination still holds; it may hold a newer value by
 * now, but while it holds none the backup stays. Resolves with the milliseconds until the next one is due, if there is
 * one.
 */
export async function expireBackups(inputs: Inputs): Promise<number | undefined> {
  const { backupTtlMs } = inputs.intent;
  if (backupTtlMs === undefined) return undefined;
  let nextMs: number | undefined;
  for (const prior of inputs.journal.prior.values()) {
    if (prior.backup === undefined || prior.state !== 'Removed' || inputs.shouldStop()) continue;
    const leftMs = prior.since + ROW_TIME_RESOLUTION_MS + backupTtlMs - inputs.clock.now();
    const outcome = leftMs > 0 ? undefined : await expire(inputs, prior, prior.backup);
    if (outcome !== undefined) await inputs.journal.record(outcome);
    else nextMs = Math.min(nextMs ?? Number.POSITIVE_INFINITY, leftMs > 0 ? leftMs : RETRY_MS);
  }
  return nextMs;
}

/** Undefined when it could not be removed: nothing is known that the row does not say already. */
async function expire(inputs: Inputs, prior: PriorRecord, backup: string): Promise<Outcome | undefined> {
  const { since: _since, backup: _backup, ...base } = prior;
  try {
    const path = prior.destination?.path;
    const found = path === undefined ? undefined : await inputs.destination.read(path, inputs.signal);
    if (found?.state !== 'present') {
      const message =
        'The destination no longer has the document; its backup is kept. Restore the document from the backup.';
      return { ...base, state: 'Failed', reason: 'DestinationLost', message, backup, retry: 'later' };
    }
    await inputs.source.backups?.discard(backup, inputs.signal);
    return { ...base, reason: 'BackupExpired' };
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    inputs.logger.error('a backup could not be removed', failure, { backup });
    return undefined;
  }
}
