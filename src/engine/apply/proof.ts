import type { Version } from '#src/core/document.ts';
import {
  recordedVersion,
  type Outcome,
  type DestinationRecord,
  type VerifiedPair,
} from '#src/core/outcome.ts';
import type { PlannedDocument, TransferStep } from '../plan/plan.ts';

/** What became of one document. */
export interface Copied {
  readonly outcome: Outcome;
  /** Set when source and destination were proven equal. */
  readonly pair?: VerifiedPair;
  /** The version at the destination that is to be overwritten, which needs a durable record of that first. */
  readonly awaitsOverwrite?: string;
  /** What went wrong, to tell a failed document from a failed backend. */
  readonly failure?: unknown;
}

/** A document whose step was carried out, as far as its row and its source go. */
export interface Transferred {
  readonly document: PlannedDocument;
  readonly row: TransferStep['row'];
  /** The version of the source that was copied. */
  readonly sourceVersion: Version;
}

/** A document that is proven: equal at both ends, in these versions. */
export function verified(
  { document, row, sourceVersion }: Transferred,
  found: { readonly version: Version; readonly priorVersion: string | undefined },
): Copied {
  const { version, priorVersion } = found;
  return {
    outcome: {
      ...row,
      state: 'Verified',
      destination: destinationRecordOf(document, version, priorVersion),
    },
    pair: {
      name: document.name,
      source: document.source,
      sourceVersion,
      destination: document.destination,
      destinationVersion: version,
    },
  };
}

/** Where the document is now, and what was there before. */
export function destinationRecordOf(
  { destination }: PlannedDocument,
  version: Version,
  priorVersion: string | undefined,
): DestinationRecord {
  const record = { path: destination, ...recordedVersion(version) };
  return priorVersion === undefined ? record : { ...record, priorVersion };
}
