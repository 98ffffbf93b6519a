import type { Reader } from '#src/backends/driver.ts';
import { adoptionConflict, type Policy } from '#src/core/checks.ts';
import { sameAttributes, sameFields, type Document, type Version } from '#src/core/document.ts';
import { isAbort, OperatorError } from '#src/errors.ts';
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
  const target = document.destination;
  try {
    const found = await destination.read(target, signal, version.revision);
    if (found.state !== 'present' || found.document.version.revision !== version.revision) {
      throw new OperatorError('VERSION_CONFLICT', { op: 'engine.verify', target });
    }
    if (!sameFields(desired, found.document) || !sameAttributes(desired, found.document)) {
      throw new OperatorError('VERIFY_MISMATCH', { op: 'engine.verify', target });
    }
    const conflict = adoptionConflict(policy, observe(destination, desired, found));
    if (conflict !== undefined) return { outcome: leaveDestination(base, conflict) };
    return verified(written, { version: found.document.version, priorVersion, copiedNow: true });
  } catch (failure) {
    if (isAbort(failure, signal)) throw failure;
    return { outcome: failedOutcome(base, failure, 'Copied'), failure };
  }
}
