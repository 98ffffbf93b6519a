import type { Outcome } from '#src/core/outcome.ts';
import type { ApplyInputs, RunResult } from './inputs.ts';

type Inputs = Pick<ApplyInputs, 'intent' | 'journal' | 'signal' | 'shouldStop'>;

/** How far a run is, and whether it may go on. Every outcome goes through here to the journal. */
export class Progress {
  readonly #inputs: Inputs;
  #problem: unknown;
  #interrupted = false;
  #awaitsSoak = false;
  #wakeAfterMs: number | undefined;

  constructor(inputs: Inputs) {
    this.#inputs = inputs;
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  result(): RunResult {
    return {
      interrupted: this.#interrupted,
      awaitsSoak: this.#awaitsSoak,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      ...(this.#wakeAfterMs === undefined ? {} : { wakeAfterMs: this.#wakeAfterMs }),
    };
  }

  /** Announces documents that will be worked on. */
  expect(outcomes: readonly Outcome[]): void {
    this.#inputs.journal.expect(outcomes.map((outcome) => this.#ruled(outcome)));
  }

  async record(outcome: Outcome): Promise<void> {
    const { intent, journal } = this.#inputs;
    await journal.record(this.#ruled(outcome));
    if (outcome.backup !== undefined && intent.backupTtlMs !== undefined) this.wakeIn(intent.backupTtlMs);
  }

  /** With the rule of the mapping that it falls under. */
  #ruled(outcome: Outcome): Outcome {
    const rule = this.#inputs.intent.route.ruleOf(outcome.name);
    return rule === undefined ? outcome : { ...outcome, rule: rule.id };
  }

  /** Sources wait for these milliseconds until their copies have soaked. */
  awaitSoak(waits: readonly number[]): void {
    this.#awaitsSoak = waits.length > 0;
    for (const wait of waits) this.wakeIn(wait);
  }

  wakeIn(ms: number): void {
    this.#wakeAfterMs = Math.min(this.#wakeAfterMs ?? Number.POSITIVE_INFINITY, ms);
  }

  /** A failure of the whole backend ends the run: the remaining documents would only hammer it. */
  noteBackendFailure(failure: unknown): void {
    this.#problem ??= failure;
  }

  /** True when no further document is to be started. Throws the signal's reason when it has aborted. */
  shouldStop(): boolean {
    this.#inputs.signal.throwIfAborted();
    if (this.#problem !== undefined) return true;
    if (this.#inputs.shouldStop()) this.#interrupted = true;
    return this.#interrupted;
  }

  /** True when the run went through to its end. */
  get isComplete(): boolean {
    return !this.#interrupted && this.#problem === undefined;
  }
}
