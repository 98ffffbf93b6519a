import type { Driver } from '#src/backends/driver.ts';
import type { Journal } from '#src/core/journal.ts';
import type { Clock, Logger } from '#src/ports.ts';
import type { Intent } from './intent.ts';

/** Times in rows are cut to whole seconds; nothing must go before its time. */
export const ROW_TIME_RESOLUTION_MS = 1_000;

/** Everything one run of one migration works with. */
export interface RunContext {
  readonly intent: Intent;
  readonly source: Driver;
  readonly destination: Driver;
  /** What a projection says that it comes from: the kind and name of the destination's backend. */
  readonly destinationName: string;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Documents in flight at once; the drivers' own limits apply below it. */
  readonly concurrency: number;
  /** Aborts everything at once: shutdown, lost lease, deadline. */
  readonly signal: AbortSignal;
  /** Asked between documents: the spec changed, the migration is suspended or being deleted. */
  readonly shouldStop: () => boolean;
  /**
   * Why the source document of this name must not be removed although it is verified, or undefined: it holds the
   * credentials of a backend.
   */
  readonly trustRootOf: (name: string) => string | undefined;
  /** Told of each document that was read at its old address. */
  readonly onFallback: () => void;
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
