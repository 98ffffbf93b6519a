import type { Address, Document, StoredDocument, Version } from '#src/core/document.ts';
import type { ConflictReason } from '#src/errors/reasons.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { Held } from '../gates.ts';

/** What a migration will do, document by document. A value: it holds names and versions, never bytes. */
export interface Plan {
  /** The generation of the spec that it was made for. */
  readonly generation: number;
  readonly steps: readonly PlannedStep[];
}

/** What will be done with one document, and on what that rests. */
export type PlannedStep = ReportStep | TransferStep;

/** Nothing will be changed; the outcome says why. */
export interface ReportStep {
  readonly kind: 'report';
  readonly outcome: Outcome;
}

/** The document will be at the destination as it is at the source. */
export interface TransferStep {
  /** `create` writes, `adopt` takes an equal document for the copy, `overwrite` replaces a different one. */
  readonly kind: 'create' | 'adopt' | 'overwrite';
  /** What every row of the document says: its name, its keys, where it goes. */
  readonly row: Omit<Outcome, 'state'>;
  readonly source: { readonly address: Address; readonly version: Version };
  /** `version` is the one that is there and must still be there when the step is carried out; undefined: nothing is. */
  readonly destination: { readonly address: Address; readonly version: Version | undefined };
  /** Why an overwrite is needed. */
  readonly reason?: ConflictReason;
  /** What becomes of the source after proof; undefined: it stays. */
  readonly removal?: Removal;
}

export interface Removal {
  readonly policy: 'Delete' | 'Backup' | 'Project';
  /** The gate that holds it. */
  readonly held?: Held;
}

/** One document that will be worked on. */
export interface PlannedDocument {
  readonly name: string;
  readonly source: Address;
  readonly destination: Address;
  /** The listing of the destination shows that nothing is there. */
  readonly isNew: boolean;
}

/** A step as it streams from the planner: with the bytes that it needs, until it is carried out or shown. */
export interface Decision {
  readonly document: PlannedDocument;
  /** Undefined when the document turned out not to be selected. */
  readonly step: PlannedStep | undefined;
  /** Absent for a report. */
  readonly values?: Values;
  /** A write that was cut off left something to do for this version at the destination. */
  readonly unfinished?: Version;
  /** What went wrong, to tell a failed document from a failed backend. */
  readonly failure?: unknown;
}

export interface Values {
  readonly source: StoredDocument;
  /** The source document as it shall stand at the destination. */
  readonly desired: Document;
}
