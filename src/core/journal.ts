import type { Outcome, PriorRecord } from './outcome.ts';

/**
 * What earlier runs recorded, by document name. A record is made when it is asked for, so take one at a time: all of them at once
 * would be most of the memory of a large migration.
 */
export interface PriorRecords {
  readonly size: number;
  get(name: string): PriorRecord | undefined;
  has(name: string): boolean;
  keys(): Iterable<string>;
  values(): Iterable<PriorRecord>;
}

/**
 * What a run records for the next one and for the user. It only reports: each run derives the truth again from both
 * backends, so a lost record costs time and never data.
 */
export interface Journal {
  /** What earlier runs recorded, by document name. */
  readonly prior: PriorRecords;

  /** Lists the documents that the run will process, so that progress has a total from the start. */
  expect(outcomes: Iterable<Outcome>): void;

  /** Takes one outcome, which may become durable later, in a batch. Resolves when the caller may drop it. */
  record(outcome: Outcome): Promise<void>;

  /** Mode Sync: the document is no longer part of the migration. Resolves as `record` does. */
  forget(name: string): Promise<void>;

  /** Resolves when everything recorded so far is durable. The engine removes no source before that. */
  flush(): Promise<void>;
}
