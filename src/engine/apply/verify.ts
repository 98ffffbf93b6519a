import type { Reader } from '#src/backends/driver.ts';
import { adoptionConflict, type Policy } from '#src/core/checks.ts';
import {
  sameAttributes,
  sameFields,
  type Document,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import { hasCode, isAbort, OperatorError } from '#src/errors.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { failedOutcome } from '../failure.ts';
import { leaveDestination, observe } from '../plan/decide.ts';
import { destinationRecordOf, verified, type Copied, type Transferred } from './proof.ts';

/** A document that was written, and the policy that applies to it. */
export interface Written extends Transferred {
  readonly desired: Document;
  readonly version: Version;
  /** The version that it replaced. */
  readonly priorVersion: string | undefined;
  readonly policy: Policy;
}

/** Reads exactly the version that was written and compares it. The read is the proof, not the reply to the write. */
export async function readBack(destination: Reader, written: Written, signal: AbortSignal): Promise<Copied> {
  const { desired, document, row, version, priorVersion, policy } = written;
  const base = { ...row, destination: destinationRecordOf(document, version, priorVersion) };
  try {
    const stored = await readWritten(destination, { desired, version }, signal);
    const found = { state: 'present', document: stored } as const;
    const conflict = adoptionConflict(policy, observe(destination, desired, found));
    if (conflict !== undefined) return { outcome: leaveDestination(base, conflict) };
    return verified(written, { version: stored.version, priorVersion, copiedNow: true });
  } catch (failure) {
    if (isAbort(failure, signal)) throw failure;
    return { outcome: failedOutcome(base, failure, 'Copied'), failure };
  }
}

/**
 * Reads exactly the version that was written. Throws `VERSION_CONFLICT` if it is no longer there, and `VERIFY_MISMATCH` if it
 * differs from what was written.
 */
export async function readWritten(
  reader: Pick<Reader, 'read'>,
  { desired, version }: Pick<Written, 'desired' | 'version'>,
  signal: AbortSignal,
): Promise<StoredDocument> {
  const about = { op: 'engine.verify', target: desired.address };
  const found = await reader.read(desired.address, signal, version.revision);
  if (found.state !== 'present' || found.document.version.revision !== version.revision)
    throw new OperatorError('VERSION_CONFLICT', about);
  if (!sameFields(desired, found.document) || !sameAttributes(desired, found.document))
    throw new OperatorError('VERIFY_MISMATCH', about);
  return found.document;
}

/**
 * The result, after a check that the version which it names as the way back can be read. Where it cannot, the row names no
 * such version and says so; the copy itself is proven.
 */
export async function priorKept(destination: Reader, copied: Copied, signal: AbortSignal): Promise<Copied> {
  const { outcome } = copied;
  if (outcome.state !== 'Verified' || outcome.destination?.priorVersion === undefined) return copied;
  const { priorVersion, ...record } = outcome.destination;
  try {
    if (await isReadable(destination, { path: record.path, priorVersion }, signal)) return copied;
    return { ...copied, outcome: { ...outcome, destination: record, ...PRIOR_LOST } };
  } catch (failure) {
    if (isAbort(failure, signal)) throw failure;
    return { outcome: failedOutcome(outcome, failure, 'Copied'), failure };
  }
}

/** True for a deleted version too: it can be undeleted. */
async function isReadable(
  destination: Reader,
  { path, priorVersion }: { readonly path: string; readonly priorVersion: string },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const prior = await destination.read(path, signal, priorVersion);
    if (prior.state === 'absent') return false;
    const { revision } = prior.state === 'deleted' ? prior.version : prior.document.version;
    return revision === priorVersion;
  } catch (failure) {
    // A value that cannot be understood is there.
    if (hasCode(failure, 'DOCUMENT_REFUSED') || hasCode(failure, 'ENCODING_CORRUPT')) return true;
    throw failure;
  }
}

const PRIOR_LOST = {
  reason: 'PriorVersionLost',
  message:
    'The copy is verified, but the overwritten version did not stay readable. Set max_versions of the path or the mount to 2 or more, and take the earlier value from a backup of the server if it is needed.',
} as const satisfies Pick<Outcome, 'reason' | 'message'>;
