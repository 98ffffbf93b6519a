import type { Driver } from '#src/backends/driver.ts';
import type { Address, Version } from '#src/core/document.ts';
import type { Side } from '#src/core/sync/observed.ts';
import type { Rest } from '#src/io/map-concurrently.ts';
import type { InventoryCounts } from '#src/core/inventory.ts';
import type { Journal } from '#src/core/journal.ts';
import type { Logger } from '#src/ports.ts';
import type { Locks } from '../crossings.ts';
import type { Held, RemovalGate } from '../gates.ts';
import type { Sweeps } from '../sweeps.ts';
import type { PlanInputs } from '../plan/inputs.ts';
import type { PlanTotals } from '../plan/totals.ts';
import type { RunPermit } from './run-permit.ts';

/** Times in rows are cut to whole seconds: this much is added, so that nothing is removed early. */
export const ROW_TIME_RESOLUTION_MS = 1_000;

/** The inputs of one run of one migration. Only code that carries out a plan gets Drivers. */
export interface ApplyInputs extends PlanInputs {
  readonly source: Driver;
  readonly destination: Driver;
  /** The origin that a projection names: the kind and name of the destination backend. */
  readonly destinationName: string;
  /** Asked right before each request that changes a backend; has the signal of the run. */
  readonly permit: RunPermit;
  /** Shared by all runs of the operator: one removal at a time uses a document, as its source or its proof. */
  readonly locks: Locks;
  /** Shared likewise: when each store was looked through for kept copies that expired. */
  readonly sweeps: Sweeps;
  /** The name under which this run claims sources. */
  readonly claimedAs: string;
  /** True for a claim of an earlier run, or of a migration that no longer exists. */
  readonly isStaleClaim: (claimedAs: string) => boolean;
  /** No earlier run of this migration can have written anything: an equal document is there because of another writer. */
  readonly isFirstRun?: boolean;
  /** What holds the removal of a destination whose source was deleted. Asked with the address there. */
  readonly destinationGates: readonly RemovalGate[];
  /** What holds the removal of every backup. */
  readonly expiryGate: () => Held | undefined;
  readonly journal: Journal;
  readonly logger: Logger;
  /** Called between documents. True when the run was told to stop; the signal aborts then, too. */
  readonly shouldStop: () => boolean;
  /** Between documents: others can have the worker. Undefined: nobody else needs it. */
  readonly rest?: Rest | undefined;
  /** Mode Sync: called for each document that got another value, once it was read back. Not for one that was created. */
  readonly onChanged: (changed: ChangedDocument) => void;
  /** Called for each source that this run removed, before its row is recorded. */
  readonly onRemoved: () => void;
}

/** A document of one side that has another value now, in this version. */
export interface ChangedDocument {
  readonly side: Side;
  readonly address: Address;
  readonly version: Version;
}

/** The result of a run. Its outcomes are in the journal. */
export interface RunResult {
  /** True when `shouldStop` ended it early. */
  readonly interrupted: boolean;
  /** A failure of a whole backend that ended the run early. */
  readonly problem?: unknown;
  /** True when sources wait for their copies to soak. */
  readonly awaitsSoak: boolean;
  /** What became of every document that the source lists; only of a complete run. It balances. */
  readonly inventory?: InventoryCounts;
  /** What a dry run would do; absent in a real run. */
  readonly plan?: PlanTotals;
  /** Milliseconds until there is work: a document has soaked, a backup expires, or a fallback ends. */
  readonly wakeAfterMs?: number;
}
