import type { ReadOutcome } from '#src/backends/driver.ts';
import type { Address, Document, ReadResult, StoredDocument, Ties, Version } from '#src/core/document.ts';
import type { ConflictReason, LeftOutReason } from '#src/errors/reasons.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { Held } from '../gates.ts';

/** What a migration will do, document by document. A value: it has names and versions, never bytes. */
export interface Plan {
  /** The generation of the spec that the plan is for. */
  readonly generation: number;
  readonly steps: readonly PlannedStep[];
}

/** The step for one document, and the versions that it depends on. */
export type PlannedStep = ReportStep | TransferStep;

/** Changes nothing; the outcome says why. */
export interface ReportStep {
  readonly kind: 'report';
  readonly outcome: Outcome;
}

/** Brings the document to the destination. */
export interface TransferStep {
  /** `create` writes, `adopt` accepts an equal document as the copy, `overwrite` replaces a different one. */
  readonly kind: 'create' | 'adopt' | 'overwrite';
  /** The part of the outcome that is independent of the state: name, keys, destination. */
  readonly row: Omit<Outcome, 'state'>;
  readonly source: {
    readonly address: Address;
    readonly version: Version;
    readonly isLeaving?: true;
    readonly ties: Ties;
  };
  /** `version` is the current one, which must be unchanged when the step is carried out; undefined: absent. */
  readonly destination: { readonly address: Address; readonly version: Version | undefined };
  /** Why an overwrite is needed. */
  readonly reason?: ConflictReason;
  /** What happens to the source after proof; undefined: it stays. */
  readonly removal?: Removal;
}

export interface Removal {
  readonly policy: 'Delete' | 'Backup' | 'Project';
  /** Why a gate holds it, in a plan that is shown; absent if none does. */
  readonly held?: Held;
}

/** One document that will be processed. */
export interface PlannedDocument {
  readonly name: string;
  readonly source: Address;
  readonly destination: Address;
  /** The listing of the destination shows that the address is free. */
  readonly isNew: boolean;
  /** Mode Sync: an earlier run recorded it, and the source does not list it. */
  readonly isUnlisted?: true;
  /** `source` is an old address, not that of its name. */
  readonly isAtOldSource?: true;
}

/** What was read of one document. */
export interface Reads {
  /** At the source. */
  readonly read: ReadOutcome;
  /** At the destination, if it was read already. A page of it can be older than the read of the source. */
  readonly atDestination?: ReadResult | undefined;
}

/** A step as it streams from the planner, with the bytes that it needs until it is carried out or shown. */
export interface Decision {
  readonly document: PlannedDocument;
  /** Undefined when the document is not selected after all; `leftOut` says why. */
  readonly step: PlannedStep | undefined;
  readonly leftOut?: LeftOutReason;
  /** Mode Sync: what was read so far. The step follows from both sides and the base. */
  readonly inStep?: Reads;
  /** Absent for a report. */
  readonly values?: Values;
  /** What a write that was cut off left at the destination. */
  readonly left?: Left;
  /** The failure, to distinguish a failed document from a failed backend. */
  readonly failure?: unknown;
}

/**
 * What a write that was cut off left with this version of the destination. `finish`: the version is its result. `undo`: it
 * is the version of another writer, with what the write had prepared.
 */
export interface Left {
  readonly kind: 'finish' | 'undo';
  readonly version: Version;
}

export interface Values {
  readonly source: StoredDocument;
  /** The document that the destination should have. */
  readonly desired: Document;
}
