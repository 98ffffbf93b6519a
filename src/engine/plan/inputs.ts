import type { Reader } from '#src/backends/driver.ts';
import type { PriorRecord } from '#src/core/outcome.ts';
import type { Clock } from '#src/ports.ts';
import type { RemovalGate } from '../gates.ts';
import type { Intent } from './intent.ts';

/**
 * What planning works with. Both ends are Readers: a plan cannot change a store, by type. Each function names the members
 * that it needs.
 */
export interface PlanInputs {
  /** The generation of the spec that is planned for. */
  readonly generation: number;
  readonly intent: Intent;
  readonly source: Reader;
  readonly destination: Reader;
  /** What earlier runs recorded, by document name. */
  readonly prior: ReadonlyMap<string, PriorRecord>;
  readonly clock: Clock;
  /** What can hold a removal, in the order in which it is asked. */
  readonly gates: readonly RemovalGate[];
  /** Documents in flight at once; the limits of the backends apply below it. */
  readonly concurrency: number;
  /** Aborts everything at once: shutdown, lost lease, deadline. */
  readonly signal: AbortSignal;
  /** Told of each document that was read at its old address. */
  readonly onFallback: () => void;
}
