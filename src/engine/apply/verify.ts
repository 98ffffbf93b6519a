import type { Reader } from '#src/backends/driver.ts';
import { adoptionConflict, type Policy } from '#src/core/checks.ts';
import {
  sameAttributes,
  sameFields,
  type Address,
  type Document,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import { hasCode, isAbort, OperatorError } from '#src/errors.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { failedOutcome } from '../failure.ts';
import { leaveDestination, observe } from '../plan/decide.ts';
import type { Made } from './make.ts';
import { destinationRecordOf, verified, type Copied, type Transferred } from './proof.ts';

/** A document that was written, and the policy that applies to it. */
export interface Written extends Transferred, Made {
  readonly desired: Document;
  /** The version that it replaced. */
  readonly priorVersion: string | undefined;
  readonly policy: Policy;
}

/** Compares what was written with what the store then has. */
export async function readBack(destination: Reader, written: Written, signal: AbortSignal): Promise<Copied> {
  const { document, row, version, priorVersion, policy, desired } = written;
  const base = { ...row, destination: destinationRecordOf(document, version, priorVersion) };
  try {
    const stored = await readWritten(destination, written, signal);
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
 * What the store has of a write: what its reply showed (`writeAndRead` of the driver), else what a read of exactly the version
 * that was written finds. The mere success of a write proves nothing. Throws `VERSION_CONFLICT` if that version is no longer
 * there, and `VERIFY_MISMATCH` if it differs from what was written.
 */
export async function readWritten(
  reader: Pick<Reader, 'read'>,
  { desired, version, stored }: Pick<Written, 'desired' | 'version' | 'stored'>,
  signal: AbortSignal,
): Promise<StoredDocument> {
  const about = { op: 'engine.verify', target: desired.address };
  const found = stored ?? (await readVersion(reader, { address: desired.address, version }, signal));
  if (found?.version.revision !== version.revision) throw new OperatorError('VERSION_CONFLICT', about);
  if (!sameFields(desired, found) || !sameAttributes(desired, found))
    throw new OperatorError('VERIFY_MISMATCH', about);
  return found;
}

async function readVersion(
  reader: Pick<Reader, 'read'>,
  { address, version }: { readonly address: Address; readonly version: Version },
  signal: AbortSignal,
): Promise<StoredDocument | undefined> {
  const found = await reader.read(address, signal, version.revision);
  return found.state === 'present' ? found.document : undefined;
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
