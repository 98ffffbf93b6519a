import { willGo } from '#src/core/checks.ts';
import { keepsKind, sameFields, type Document, type StoredDocument } from '#src/core/document.ts';
import type { Outcome, PriorRecord, RecordedVersion } from '#src/core/outcome.ts';
import { isAbort } from '#src/errors.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { desiredDocument } from '../plan/desired-document.ts';
import { inTime } from './in-time.ts';
import { ROW_TIME_RESOLUTION_MS, type ApplyInputs } from './inputs.ts';
import { removing } from './run-permit.ts';

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
 * Removes expired backups of documents whose value the destination still has, or a later version of the document that was
 * proven there. Otherwise a backup stays, and its row says why. Resolves with the milliseconds until the next backup is
 * due, or undefined if there is none.
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
    const time = { ms: DEADLINES_MS.removal, op: 'engine.expire', target: backup };
    const kept = await inTime(inputs, time, async (timed) => {
      const why = await keptBackup(timed, prior, backup);
      if (why === undefined) await timed.source.backups?.discard(backup, removing(timed.permit));
      return why;
    });
    return kept === undefined
      ? { ...base, reason: 'BackupExpired' }
      : { ...base, backup, retry: 'later', ...kept };
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    inputs.logger.error('backup removal failed', failure, { backup });
    return undefined;
  }
}

type Kept = Pick<Outcome, 'state' | 'reason' | 'message'>;

const LOST: Kept = {
  state: 'Failed',
  reason: 'DestinationLost',
  message:
    'The destination no longer has the document; its backup is kept. Restore the document from the backup.',
};
const OTHER: Kept = {
  state: 'Removed',
  reason: 'DestinationDiffers',
  message:
    'The destination has another document than the one that was moved; the backup is kept. Compare both, then restore or remove the backup.',
};

/** Why the backup must stay; undefined when the destination has its value, or a later version of the proven document. */
async function keptBackup(inputs: Inputs, prior: PriorRecord, backup: string): Promise<Kept | undefined> {
  const { destination, signal, source } = inputs;
  const path = prior.destination?.path;
  const kept = await source.backups?.get(backup, signal);
  const found = path === undefined ? undefined : await destination.read(path, signal);
  if (path === undefined || found?.state !== 'present') return LOST;
  if (kept === undefined) return undefined;
  const desired = desiredDocument(inputs, { name: prior.name, destination: path }, kept);
  return keptBy(inputs, prior, { desired: desired.document, found: found.document });
}

/** The same for a document that both have. */
async function keptBy(
  inputs: Pick<Inputs, 'destination' | 'signal'>,
  { destination }: PriorRecord,
  { desired, found }: { readonly desired: Document; readonly found: StoredDocument },
): Promise<Kept | undefined> {
  // Its source went with sourcePolicy Backup, whatever the policy is now.
  const going = willGo({ sourcePolicy: 'Backup' }, found);
  if (going !== undefined) return { state: 'Removed', reason: going.reason, message: going.message };
  if (hasValueOf(desired, found)) return undefined;
  return (await isLater(inputs, found, destination)) ? undefined : OTHER;
}

/** A backup has the labels and annotations of its original in one annotation, so only the rest is compared. */
function hasValueOf(desired: Document, found: StoredDocument): boolean {
  return sameFields(desired, found) && keepsKind(desired, found);
}

/**
 * True for a later version of the document that was proven: the recorded version still belongs to its history. A store
 * without history returns the current version, whose identity tells the same.
 */
async function isLater(
  { destination, signal }: Pick<Inputs, 'destination' | 'signal'>,
  { address, version: current }: StoredDocument,
  { version, identity }: RecordedVersion = {},
): Promise<boolean> {
  if (version === undefined || identity === undefined || current.revision === version) return false;
  const proven = await destination.read(address, signal, version);
  if (proven.state === 'absent') return false;
  return (proven.state === 'present' ? proven.document.version : proven.version).identity === identity;
}
