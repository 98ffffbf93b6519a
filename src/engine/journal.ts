import type { Outcome, PriorRecord } from '#src/core/outcome.ts';

/**
 * The record that a run leaves for the next one and for the user: rows in status and report shards. It is observation:
 * truth is always derived again from both stores, a lost record costs time and never data.
 */
export interface Journal {
  /** What earlier runs recorded, by document name. */
  readonly prior: ReadonlyMap<string, PriorRecord>;

  /** Announces documents that will be worked on, so that progress has a total from the start. */
  expect(outcomes: readonly Outcome[]): void;

  /** Takes one outcome; it may become durable later, in a batch. Resolves when it may be forgotten by the caller. */
  record(outcome: Outcome): Promise<void>;

  /** Resolves when everything recorded so far is durable. Nothing is removed at a source before that. */
  flush(): Promise<void>;
}
