import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import { isAbort } from '#src/errors.ts';
import { ROW_TIME_RESOLUTION_MS, type ApplyInputs } from './inputs.ts';

/** Milliseconds until the removal of a backup is tried again. */
const RETRY_MS = 60_000;

type Inputs = Pick<
  ApplyInputs,
  | 'intent'
  | 'source'
  | 'destination'
  | 'expiryGate'
  | 'journal'
  | 'clock'
  | 'logger'
  | 'permit'
  | 'signal'
  | 'shouldStop'
>;

/**
 * Removes expired backups of documents that the destination still has, even in a newer version. A backup stays while the
 * destination lacks the document. Resolves with the milliseconds until the next backup is due, or undefined if there is
 * none.
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

/** Undefined when the backup could not be removed: its row stays correct. */
async function expire(inputs: Inputs, prior: PriorRecord, backup: string): Promise<Outcome | undefined> {
  const { since: _since, backup: _backup, reason: _reason, message: _message, ...base } = prior;
  const held = inputs.expiryGate();
  if (held !== undefined) return { ...base, backup, ...held };
  try {
    const path = prior.destination?.path;
    const found = path === undefined ? undefined : await inputs.destination.read(path, inputs.signal);
    if (found?.state !== 'present') {
      const message =
        'The destination no longer has the document; its backup is kept. Restore the document from the backup.';
      return { ...base, state: 'Failed', reason: 'DestinationLost', message, backup, retry: 'later' };
    }
    await inputs.source.backups?.discard(backup, inputs.permit);
    return { ...base, reason: 'BackupExpired' };
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    inputs.logger.error('backup removal failed', failure, { backup });
    return undefined;
  }
}
