import { isBalanced, type InventoryCount } from '#src/core/inventory.ts';
import { recordedOutcome, type Outcome } from '#src/core/outcome.ts';
import { repeatable } from '#src/core/repeatable.ts';
import { withNewKeys } from '#src/core/new-keys.ts';
import { isProven, originIn, withOrigin } from '#src/core/origin.ts';
import { recordedBase } from '#src/core/sync/base.ts';
import { OperatorError } from '#src/errors.ts';
import type { Planning } from '../plan/make-plan.ts';
import type { PlanTotals } from '../plan/totals.ts';
import type { ApplyInputs, RunResult } from './inputs.ts';

type Inputs = Pick<ApplyInputs, 'approved' | 'intent' | 'journal' | 'only' | 'signal' | 'shouldStop'>;

/** The progress of a run, and whether it may continue. Passes every outcome to the journal. */
export class Progress {
  readonly #inputs: Inputs;
  #problem: unknown;
  #interrupted = false;
  #awaitsSoak = false;
  #wakeAfterMs: number | undefined;
  #count: InventoryCount | undefined;
  #plan: PlanTotals | undefined;
  /** Under an approved plan: the names of the documents that have a row of this run. */
  readonly #recorded = new Set<string>();

  constructor(inputs: Inputs) {
    this.#inputs = inputs;
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Throws `INVARIANT` when a complete run left a document of the source without a row and without a reason. */
  result(): RunResult {
    const isWhole = this.isComplete && this.#inputs.only === undefined;
    const inventory = isWhole ? this.#count?.counts() : undefined;
    if (inventory !== undefined && !isBalanced(inventory)) {
      throw new OperatorError('INVARIANT', {
        op: 'engine.inventory',
        detail: 'The inventory does not balance.',
      });
    }
    return {
      interrupted: this.#interrupted,
      awaitsSoak: this.#awaitsSoak,
      ...(inventory === undefined ? {} : { inventory }),
      ...(this.#plan === undefined ? {} : { plan: this.#plan }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      ...(this.#wakeAfterMs === undefined ? {} : { wakeAfterMs: this.#wakeAfterMs }),
    };
  }

  /** The totals of a plan that is shown and not carried out. */
  notePlan(totals: PlanTotals): void {
    this.#plan = totals;
  }

  /** Announces the documents that the run will process, and accounts for all that the source lists. */
  expect({ count, expected }: Pick<Planning, 'count' | 'expected'>): void {
    this.#count = count;
    const rowOf = (outcome: Outcome): Outcome => this.#withNewKeys(this.#ruled(outcome));
    this.#inputs.journal.expect(
      repeatable(function* rows() {
        for (const outcome of expected) yield rowOf(outcome);
      }),
    );
  }

  async record(outcome: Outcome): Promise<void> {
    const { intent, journal } = this.#inputs;
    if (this.#inputs.approved !== undefined) this.#recorded.add(outcome.name);
    const proven = this.#withBase(this.#unlessProven(outcome));
    const ruled = this.#ruled(withOrigin(proven, journal.prior.get(outcome.name)));
    await journal.record(this.#withNewKeys(this.#asPlanned(ruled)));
    this.#count?.report(outcome.name);
    if (outcome.backup !== undefined && intent.backupTtlMs !== undefined) this.wakeIn(intent.backupTtlMs);
  }

  /** Under an approved plan. */
  hasRecorded(name: string): boolean {
    return this.#recorded.has(name);
  }

  /** True for a document that an earlier run proved. */
  wasProven(name: string): boolean {
    const state = this.#inputs.journal.prior.get(name)?.state;
    return state === 'Verified' || state === 'Removed';
  }

  /** A server that has no time for a document says nothing about it: what was proven keeps its state. */
  #unlessProven(outcome: Outcome): Outcome {
    const record = this.#inputs.journal.prior.get(outcome.name);
    if (record === undefined || outcome.reason !== 'RateLimited' || !this.wasProven(outcome.name))
      return outcome;
    return { ...recordedOutcome(record), retry: 'soon' };
  }

  /**
   * A row that is not Verified still tells in which versions both sides were equal: in mode Sync, and where the migration
   * wrote the destination, for undoing that.
   */
  #withBase(outcome: Outcome): Outcome {
    const { intent, journal } = this.#inputs;
    const path = outcome.destination?.path;
    const prior = journal.prior.get(outcome.name);
    const hasVersion = intent.sync === undefined ? isProven(outcome) : outcome.state === 'Verified';
    const isNeeded = intent.sync !== undefined || originIn(prior) !== undefined;
    if (!isNeeded || hasVersion || path === undefined) return outcome;
    const base = outcome.base ?? recordedBase(prior, path, outcome.source?.path);
    return base === undefined ? outcome : { ...outcome, base };
  }

  /** Under an approved plan a row keeps what the plan says, and its keys: so the rows are the plan, also after a kill. */
  #asPlanned(outcome: Outcome): Outcome {
    const { approved, intent } = this.#inputs;
    if (intent.dryRun) return outcome;
    const { planned: _planned, ...rest } = outcome;
    const row = approved?.get(outcome.name);
    return row === undefined ? rest : { ...rest, keys: row.keys, planned: row.planned };
  }

  #withNewKeys(outcome: Outcome): Outcome {
    const { intent, journal } = this.#inputs;
    return withNewKeys(outcome, journal.prior.get(outcome.name), intent.keyNames);
  }

  /** The outcome with the mapping rule that applies to its document. */
  #ruled(outcome: Outcome): Outcome {
    const rule = this.#inputs.intent.route.ruleOf(outcome.name);
    return rule === undefined ? outcome : { ...outcome, rule: rule.id };
  }

  /** Sources wait until their copies have soaked, the next one for so many milliseconds. */
  awaitSoak(ms: number): void {
    this.#awaitsSoak = true;
    this.wakeIn(ms);
  }

  wakeIn(ms: number): void {
    this.#wakeAfterMs = Math.min(this.#wakeAfterMs ?? Number.POSITIVE_INFINITY, ms);
  }

  /** A failure of the whole backend ends the run: the remaining documents would only add load. */
  noteBackendFailure(failure: unknown): void {
    this.#problem ??= failure;
  }

  /** True when no further document may start. Throws the signal's reason if it aborted without a stop. */
  shouldStop(): boolean {
    if (this.#inputs.shouldStop()) this.#interrupted = true;
    if (this.#interrupted) return true;
    this.#inputs.signal.throwIfAborted();
    return this.#problem !== undefined;
  }

  /** True while the run was neither interrupted nor ended by a backend failure. */
  get isComplete(): boolean {
    return !this.#interrupted && this.#problem === undefined;
  }
}
