import type { Reader } from '#src/backends/driver.ts';
import type { Version } from '#src/core/document.ts';
import type { PriorRecords } from '#src/core/journal.ts';
import type { BySide, Side } from '#src/core/sync/observed.ts';
import type { Clock } from '#src/ports.ts';
import type { Crossings } from '../crossings.ts';
import type { CopyGate, RemovalGate } from '../gates.ts';
import type { PlannedRows } from './approved.ts';
import type { Intent } from './intent.ts';

/**
 * The inputs of planning. Both backends are Readers: by type, a plan cannot change a backend. Each function names the
 * members that it needs.
 */
export interface PlanInputs {
  /** The generation of the spec that the plan is for. */
  readonly generation: number;
  readonly intent: Intent;
  readonly source: Reader;
  readonly destination: Reader;
  /** The stores that keep what a write replaces: those with the capability `Versions`. */
  readonly keepsVersions: BySide<boolean>;
  /**
   * Mode Sync: the rows are those of this very spec, so a document in the versions of its row need not be read. False after a
   * change of the spec: another mapping gives the same versions other bytes.
   */
  readonly trustsVersions: boolean;
  /** Only these documents are processed, and nothing is listed. Undefined: the whole selection. */
  readonly only?: ReadonlySet<string> | undefined;
  /** What earlier runs recorded, by document name. */
  readonly prior: PriorRecords;
  /**
   * The plan that a person approved: the run does nothing else. When a plan is shown: what of the last one is done. Undefined
   * where nothing waits for approval.
   */
  readonly approved?: PlannedRows | undefined;
  readonly clock: Clock;
  /** What other live migrations do with the same documents. */
  readonly crossings: Crossings;
  /** The gates of a removal, in the order in which they are asked. */
  readonly gates: readonly RemovalGate[];
  /** What a selection that does not name it must not copy. */
  readonly copyGate: CopyGate;
  /** Maximum number of documents in flight; a backend can have a lower limit. */
  readonly concurrency: number;
  /** Aborts everything at once: shutdown, lost lease, deadline. */
  readonly signal: AbortSignal;
  /** Called with versions that the listings of the inventory show anyway, by name: see `ListQuery.onVersion`. */
  readonly onVersion?: ((side: Side, name: string, version: Version) => void) | undefined;
  /** Called for each document that was read at its old address. */
  readonly onFallback: () => void;
}
