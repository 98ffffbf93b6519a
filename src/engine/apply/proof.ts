import type { Version } from '#src/core/document.ts';
import {
  recordedVersion,
  type Outcome,
  type DestinationRecord,
  type VerifiedPair,
} from '#src/core/outcome.ts';
import type { RemoveStep } from '#src/core/sync/three-way.ts';
import type { PlannedDocument, TransferStep } from '../plan/plan.ts';

/** The result for one document. */
export interface Copied {
  readonly outcome: Outcome;
  /** Set when source and destination were proven equal. */
  readonly pair?: VerifiedPair;
  /** The destination version to overwrite, once the record of it is durable. */
  readonly awaitsOverwrite?: string;
  /** Mode Sync: the side that follows is to be removed. */
  readonly awaitsRemoval?: RemoveStep;
  /** The failure, to distinguish a failed document from a failed backend. */
  readonly failure?: unknown;
}

/** Mode Sync: a document whose side that follows is to be removed, and its row before that. */
export interface AwaitedRemoval {
  readonly document: PlannedDocument;
  readonly step: RemoveStep;
  readonly outcome: Outcome;
}

/** A document whose step was carried out, with its row and its source version. */
export interface Transferred {
  readonly document: PlannedDocument;
  readonly row: TransferStep['row'];
  /** The source that was copied. */
  readonly source: TransferStep['source'];
}

/** The result for a proven document: source and destination are equal, in these versions. */
export function verified(
  { document, row, source }: Transferred,
  found: {
    readonly version: Version;
    readonly priorVersion: string | undefined;
    /** This run wrote it, or may have. */
    readonly copiedNow: boolean;
  },
): Copied {
  const { copiedNow, priorVersion, version } = found;
  return {
    outcome: {
      ...row,
      state: 'Verified',
      destination: destinationRecordOf(document, version, priorVersion),
      ...(copiedNow ? { copiedNow } : {}),
    },
    pair: {
      name: document.name,
      source: document.source,
      sourceVersion: source.version,
      ...(source.isLeaving === undefined ? {} : { sourceIsLeaving: source.isLeaving }),
      ties: source.ties,
      destination: document.destination,
      destinationVersion: version,
    },
  };
}

/** The destination of the document: the version there now, and the one before. */
export function destinationRecordOf(
  { destination }: PlannedDocument,
  version: Version,
  priorVersion: string | undefined,
): DestinationRecord {
  const record = { path: destination, ...recordedVersion(version) };
  return priorVersion === undefined ? record : { ...record, priorVersion };
}
