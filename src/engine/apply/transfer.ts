import { isBackendWide } from '#src/errors.ts';
import type { VerifiedPair } from '#src/core/outcome.ts';
import type { LeftOutReason } from '#src/errors/reasons.ts';
import { forEachConcurrently } from '#src/io/map-concurrently.ts';
import { decideAnnounced, type Planning } from '../plan/make-plan.ts';
import type { Decision } from '../plan/plan.ts';
import { carryOut } from './copy.ts';
import type { ApplyInputs } from './inputs.ts';
import type { Progress } from './progress.ts';
import type { AwaitedRemoval, Copied } from './proof.ts';
import { ProvenCopies } from './proven.ts';
import { Silence } from './silence.ts';
import { rowBeforeRemoval } from './soak.ts';

/** What became of a decision: an outcome, or why the document is not selected after all. */
export type Carried = Copied | { readonly leftOut: LeftOutReason };

type Carry = (inputs: ApplyInputs, decision: Decision) => Promise<Carried>;

async function carryOnce(inputs: ApplyInputs, decision: Decision): Promise<Carried> {
  const { leftOut } = decision;
  return leftOut === undefined ? carryOut(inputs, decision) : { leftOut };
}

/** Copies documents to the destination and proves them. A document that fails does not stop the others. */
export class Transfer {
  /** Proven documents whose sources are to go, or to be marked. Names and versions only. */
  readonly proven = new ProvenCopies();
  /** Documents to remove after all others. */
  readonly removals: AwaitedRemoval[] = [];
  readonly #carry: Carry;
  readonly #inputs: ApplyInputs;
  readonly #progress: Progress;
  readonly #silence: Silence;
  /** Documents to overwrite once that is on record, by name, with the version to overwrite. */
  readonly #awaitOverwrite = new Map<string, string>();

  /** `carry`: how one decision is carried out. Default: by the protocol of mode Once. */
  constructor(inputs: ApplyInputs, progress: Progress, carry: Carry = carryOnce) {
    this.#carry = carry;
    this.#inputs = inputs;
    this.#progress = progress;
    this.#silence = new Silence(inputs, progress);
  }

  /** Carries out the plan as it streams from both backends. Documents that the source never yields stay Pending. */
  async copyAll(planning: Planning): Promise<void> {
    await this.#each(planning.decisions(), async (decision) => {
      const { name } = decision.document;
      planning.noteDecided(name);
      const carried = await this.#carry(this.#inputs, decision);
      if ('outcome' in carried) return this.#keep(planning, decision, carried);
      planning.count.dismiss(name, carried.leftOut);
      if (this.#inputs.intent.sync !== undefined) await this.#inputs.journal.forget(name);
    });
    if (this.#progress.interrupted) return;
    for (const outcome of planning.undecided()) {
      // Not read because a backend failed: that says nothing about a proven document.
      const stays = !this.#progress.isComplete && this.#progress.wasProven(outcome.name);
      if (!stays) await this.#progress.record(outcome);
    }
  }

  /**
   * Overwrites the documents that differ, once their current versions are on record: after a kill, the record remains.
   * A document with another version by now is announced again and waits for the next run.
   */
  async overwriteAnnounced({ documents }: Pick<Planning, 'documents'>): Promise<void> {
    if (this.#awaitOverwrite.size === 0 || this.#progress.shouldStop()) return;
    await this.#inputs.journal.flush();
    const announced = new Map(this.#awaitOverwrite);
    await this.#each(decideAnnounced(this.#inputs, documents, announced), async (decision) => {
      const version = announced.get(decision.document.name);
      await this.#keep({ documents }, decision, await carryOut(this.#inputs, decision, version));
    });
  }

  async #keep(
    { documents }: Pick<Planning, 'documents'>,
    { document }: Decision,
    copied: Copied,
  ): Promise<void> {
    const { awaitsOverwrite, awaitsRemoval: step, failure, outcome, pair } = copied;
    if (isBackendWide(failure)) this.#progress.noteBackendFailure(failure);
    if (pair !== undefined && this.#isLeaving(pair)) this.proven.add({ pair, outcome });
    if (step !== undefined) this.removals.push({ document, step, outcome });
    if (awaitsOverwrite !== undefined) {
      documents.announce(document);
      this.#awaitOverwrite.set(document.name, awaitsOverwrite);
    }
    await this.#progress.record(await rowBeforeRemoval(this.#inputs, copied));
    await this.#silence.after(failure);
  }

  /** Only these are asked for later. */
  #isLeaving({ name }: VerifiedPair): boolean {
    return this.#inputs.intent.policyOf(name).sourcePolicy !== 'Keep';
  }

  async #each(
    decisions: AsyncIterable<Decision>,
    work: (decision: Decision) => Promise<void>,
  ): Promise<void> {
    const { concurrency, destination, rest } = this.#inputs;
    // Copies wait for the destination; the source yields at its own rate.
    const limit = (): number => Math.max(1, Math.min(concurrency, destination.traits.concurrency));
    await forEachConcurrently(decisions, work, {
      limit,
      rest,
      stop: () => this.#progress.shouldStop(),
    });
  }
}
