import type { Driver } from '#src/backends/driver.ts';
import type { Journal } from '#src/core/journal.ts';
import type { Logger } from '#src/ports.ts';
import type { PlanInputs } from '../plan/inputs.ts';

/** Times in rows are cut to whole seconds; nothing must go before its time. */
export const ROW_TIME_RESOLUTION_MS = 1_000;

/** What one run of one migration works with. Only what carries a plan out has Drivers. */
export interface ApplyInputs extends PlanInputs {
  readonly source: Driver;
  readonly destination: Driver;
  /** What a projection names as its origin: the kind and name of the destination's backend. */
  readonly destinationName: string;
  readonly journal: Journal;
  readonly logger: Logger;
  /** Asked between documents: the spec changed, the migration is suspended or being deleted. */
  readonly shouldStop: () => boolean;
}

/** What a run came to. Its outcomes went to the journal one by one. */
export interface RunResult {
  /** True when `shouldStop` ended it early. */
  readonly interrupted: boolean;
  /** A failure of a whole backend that ended the run early. */
  readonly problem?: unknown;
  /** True when sources wait for their copies to soak. */
  readonly awaitsSoak: boolean;
  /** Milliseconds until there is something to do: a document has soaked long enough, a backup expires, a fallback ends. */
  readonly wakeAfterMs?: number;
}
