/**
 * The longest that each phase of a run takes, milliseconds. docs/fairness.md has the same table. A document that exceeds its
 * time is a row; every other phase ends the run, which is tried again.
 *
 * The time of `list`, `call`, `copy` and `removal` stands still while a request waits for the quota of its server, which
 * gives up after ten minutes without an accepted request.
 */
export const DEADLINES_MS = {
  /** Find both backends, connect, ask what they can do, read what earlier runs recorded. */
  gather: 60_000,
  /** Release claims, list both ends, ask for rights. */
  list: 600_000,
  /** One call of a driver while documents are planned: read one, compare it. */
  call: 90_000,
  /** Write one document and prove it. */
  copy: 180_000,
  /** Wait for its lock, prove one document again and remove its source. */
  removal: 120_000,
  /** After a stop: complete the change that was sent, and read what became of it. */
  settle: 5_000,
  /** Store rows and the verdict. */
  finish: 60_000,
  /** All of it. The next run goes on. */
  run: 6 * 3_600_000,
} as const;
