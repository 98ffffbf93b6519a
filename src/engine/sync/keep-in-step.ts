import type { Base, Outcome } from '#src/core/outcome.ts';
import type { ReadOutcome } from '#src/backends/driver.ts';
import type { ReadResult, Version } from '#src/core/document.ts';
import { typeIsSelected } from '#src/core/selection.ts';
import { otherSide, type BySide } from '#src/core/sync/observed.ts';
import { afterEndOf } from '#src/core/sync/said.ts';
import { decideSync, type RemoveStep, type SyncStep, type WriteStep } from '#src/core/sync/three-way.ts';
import { hasCode, isAbort, OperatorError } from '#src/errors.ts';
import { carryOut } from '../apply/copy.ts';
import { inTime } from '../apply/in-time.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import type { Copied } from '../apply/proof.ts';
import { settleRemains } from '../apply/settle.ts';
import type { Carried } from '../apply/transfer.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { EXPIRED, failedOutcome, noted } from '../failure.ts';
import { leftIn } from '../plan/decide.ts';
import type { SyncIntent } from '../plan/intent.ts';
import type { Decision, PlannedDocument } from '../plan/plan.ts';
import { decideSource } from '../plan/sources.ts';
import { rowOfGone, rowOfLeaving, rowOfUnread } from './after-prune.ts';
import { baseOf, documentIn, observe } from './observe.ts';
import { Rows, type Seen } from './rows.ts';
import { desiredAt } from './way.ts';
import { writeSide } from './write.ts';

/**
 * One document of a migration that keeps both sides in step:
 *
 *   read both sides
 *   → never proven equal?  the protocol of mode Once, up to the proof
 *   → settle what a write that was cut off left
 *   → decide from three sides: source, destination and base (ADR 0055)
 *       write     write, expecting the version that was read → read back that version, compare → Verified
 *       restore   the same, after what is there was kept: in the history of the store, or as a copy
 *       moveBase  nothing is written; the row gets the versions                                → Verified
 *       conflict, keep, remove, nothing
 *
 * After a write without a reply, or one that lost against another writer, it reads both sides and decides again.
 */

/** As in mode Once. */
const MAX_ROUNDS = 3;

/** The result for one document; `left`: it is no longer part of the migration; `again`: nothing is certain. */
type Round = Copied | 'left' | 'again';

/** A document whose source was just read. A failure of this document becomes its outcome; only an abort is thrown. */
export async function keepInStep(inputs: ApplyInputs, decision: Decision): Promise<Carried> {
  const { document, inStep: read } = decision;
  const { sync } = inputs.intent;
  const about = { op: 'engine.sync', target: document.destination };
  if (sync === undefined || read === undefined) throw new OperatorError('INVARIANT', about);
  try {
    const time = { ms: DEADLINES_MS.copy, ...about };
    return await inTime(inputs, time, async (timed) => new OneDocument(timed, sync, document).run(read));
  } catch (failure) {
    if (isAbort(failure, inputs.signal)) throw failure;
    const pruned = rowOfUnread(inputs.prior.get(document.name));
    if (pruned !== undefined) return { outcome: pruned, failure };
    const row = new Rows(inputs, document).unchanged();
    if (hasCode(failure, 'EXPIRED')) return { outcome: { ...row, ...EXPIRED } };
    return { outcome: failedOutcome(row, failure), failure };
  }
}

class OneDocument {
  #inputs: ApplyInputs;
  readonly #sync: SyncIntent;
  readonly #document: PlannedDocument;
  readonly #rows: Rows;
  /** The versions of a write of this process: newer than those of the row. */
  #written: Base | undefined;
  /** A write without a reply, or one that lost. */
  #undecided: OperatorError | undefined;
  /** The step of that write. */
  #attempted: WriteStep | undefined;
  /** What had to stay of a write that was cut off, for the row. */
  #note: string | undefined;

  constructor(inputs: ApplyInputs, sync: SyncIntent, document: PlannedDocument) {
    this.#inputs = inputs;
    this.#sync = sync;
    this.#document = document;
    this.#rows = new Rows(inputs, document);
  }

  async run(first: ReadOutcome): Promise<Carried> {
    if ('error' in first) throw first.error;
    let atSource: ReadResult | undefined = first.result;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const done = await this.#round(atSource ?? (await this.#readSource()));
      if (done === 'left') return { leftOut: 'NotSelected' };
      if (done !== 'again') return this.#noted(done);
      atSource = undefined;
    }
    const target = this.#document.destination;
    throw this.#undecided ?? new OperatorError('VERSION_CONFLICT', { op: 'engine.sync', target });
  }

  async #round(atSource: ReadResult): Promise<Round> {
    const { intent, prior } = this.#inputs;
    const source = documentIn(atSource);
    if (this.#hasLeft(atSource)) return 'left';
    if (!typeIsSelected(intent.selection, source?.attributes.type)) return this.#once(atSource);
    const reads = { source: atSource, destination: await this.#readDestination() };
    const base = this.#written ?? baseOf(prior.get(this.#document.name), this.#document, reads);
    if (base === undefined) return this.#once(atSource);
    if (source?.unfinished === true) return { outcome: this.#rows.sourceUnfinished() };
    if (await this.#settle(reads)) return 'again';
    return this.#decide({ reads, base });
  }

  async #readSource(): Promise<ReadResult> {
    return this.#inputs.source.read(this.#document.source, this.#inputs.signal);
  }

  async #readDestination(): Promise<ReadResult> {
    const { destination, signal } = this.#inputs;
    if (this.#document.isNew && this.#undecided === undefined) return { state: 'absent' };
    return destination.read(this.#document.destination, signal);
  }

  /** The listing, which has a label selector, does not show a document that is there. */
  #hasLeft(atSource: ReadResult): boolean {
    const { scope } = this.#inputs.intent.selection;
    return this.#document.isUnlisted === true && atSource.state === 'present' && scope.by === 'labelSelector';
  }

  /**
   * The first copy. Without a base nothing says which side changed, so a destination is overwritten only where it follows and
   * its store keeps what it had.
   */
  async #once(atSource: ReadResult): Promise<Round> {
    const { intent, keepsVersions } = this.#inputs;
    const mayOverwrite = this.#sync.authority === 'Source' && keepsVersions.destination;
    const policyOf: typeof intent.policyOf = (name) => ({
      ...intent.policyOf(name),
      conflictPolicy: 'Fail',
    });
    const inputs = mayOverwrite ? this.#inputs : { ...this.#inputs, intent: { ...intent, policyOf } };
    const read = { address: this.#document.source, result: atSource };
    const decision = await decideSource(inputs, this.#document, read);
    if (decision.step === undefined || this.#cameAndWent(decision)) return 'left';
    return carryOut(inputs, decision);
  }

  /** It may have changed, and is not there: only a name in the spec is missed. */
  #cameAndWent({ step }: Decision): boolean {
    const { intent, only } = this.#inputs;
    const isMissing = step?.kind === 'report' && step.outcome.reason === 'SourceMissing';
    return isMissing && only !== undefined && intent.selection.scope.by !== 'names';
  }

  /** Completes or undoes what a write that was cut off left at a side that is written. True if something was. */
  async #settle(reads: BySide<ReadResult>): Promise<boolean> {
    const written = this.#sync.authority === 'Source' ? (['destination'] as const) : SIDES;
    for (const to of written) {
      const from = documentIn(reads[otherSide(to)]);
      if (from === undefined || this.#note !== undefined || !hasRemains(reads[to])) continue;
      const way = { to, from, current: documentIn(reads[to]) };
      const { document: desired } = desiredAt(this.#inputs, this.#document, way);
      const { left } = leftIn(desired, reads[to]);
      if (left === undefined) continue;
      this.#note = await settleRemains(this.#inputs[to], { left, desired }, this.#inputs.permit);
      if (this.#note === undefined) return true;
    }
    return false;
  }

  async #decide(seen: Seen): Promise<Round> {
    const { reads, base } = seen;
    const observed = await observe(this.#inputs, this.#sync, { document: this.#document, reads, base });
    const step = decideSync(this.#sync, observed);
    if (step.kind === 'write' || step.kind === 'restore') return this.#write(seen, step);
    return this.#withoutWrite(seen, step);
  }

  #withoutWrite(seen: Seen, step: Exclude<SyncStep, WriteStep>): Round {
    const { clock, prior } = this.#inputs;
    const record = prior.get(this.#document.name);
    if (step.kind === 'nothing')
      return this.#rows.equal(seen, false) ?? asRound(rowOfGone(record, clock.now()));
    if (step.kind === 'moveBase') return this.#equalNow(seen, step.base) ?? 'again';
    if (step.kind === 'remove') return this.#remove(seen, step);
    return { outcome: rowOfLeaving(record, seen) ?? this.#rows.left(seen, step) };
  }

  #remove(seen: Seen, step: RemoveStep): Copied {
    const leader = otherSide(step.from);
    if (leader === 'source' && this.#sync.listsToRead)
      return { outcome: this.#rows.left(seen, { kind: 'keep', ...afterEndOf(leader, 'listed') }) };
    return { outcome: this.#rows.toRemove(seen, step), awaitsRemoval: step };
  }

  /** Both sides are equal in other versions, perhaps by the write that had no reply. */
  #equalNow(seen: Seen, versions: BySide<Version>): Copied | undefined {
    const step = this.#attempted;
    if (step !== undefined && step.expect !== 'absent')
      this.#inputs.onChanged({ side: step.to, address: this.#document[step.to], version: versions[step.to] });
    return this.#rows.equal(seen, step !== undefined);
  }

  async #write(seen: Seen, step: WriteStep): Promise<Round> {
    const inputs = this.#inputs;
    const written = await writeSide({ inputs, document: this.#document, rows: this.#rows, seen }, step);
    if ('outcome' in written) return written;
    // What became of a write that was sent is read also after a stop.
    this.#inputs = { ...inputs, signal: inputs.permit.toComplete.signal };
    this.#undecided = written.undecided;
    this.#attempted = step;
    if (written.version !== undefined) this.#written = this.#rows.baseOf(step, written.version);
    return 'again';
  }

  #noted(copied: Copied): Copied {
    return this.#note === undefined ? copied : { ...copied, outcome: noted(copied.outcome, this.#note) };
  }
}

const SIDES = ['destination', 'source'] as const;

function asRound(outcome: Outcome | undefined): Round {
  return outcome === undefined ? 'left' : { outcome };
}

/** A write that was cut off may have left something. */
function hasRemains(read: ReadResult): boolean {
  if (read.state === 'absent') return false;
  if (read.state === 'deleted') return read.prepared === true;
  return read.document.unfinished === true || read.document.prepared === true;
}
