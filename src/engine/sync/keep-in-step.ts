import type { Base, PriorRecord } from '#src/core/outcome.ts';
import type { ReadResult, Version } from '#src/core/document.ts';
import { typeIsSelected } from '#src/core/selection.ts';
import type { ConflictStep } from '#src/core/sync/resolution.ts';
import { otherSide, type BySide, type Side } from '#src/core/sync/observed.ts';
import { afterEndOf } from '#src/core/sync/said.ts';
import { decideSync, type RemoveStep, type SyncStep, type WriteStep } from '#src/core/sync/three-way.ts';
import { hasCode, isAbort, OperatorError } from '#src/errors.ts';
import { inTime } from '../apply/in-time.ts';
import type { ApplyInputs } from '../apply/inputs.ts';
import type { Copied } from '../apply/proof.ts';
import { hasRemains, settleRemains } from '../apply/settle.ts';
import type { Carried } from '../apply/transfer.ts';
import { DEADLINES_MS } from '../deadlines.ts';
import { EXPIRED, failedOutcome, noted } from '../failure.ts';
import { leftIn } from '../plan/decide.ts';
import type { SyncIntent } from '../plan/intent.ts';
import type { Decision, PlannedDocument, Reads } from '../plan/plan.ts';
import { rowOfGone, rowOfLeaving, rowOfUnread } from './after-prune.ts';
import { copyFirst } from './first-copy.ts';
import { inItsTime, isFromOldName, isRemembered, locate, missingSince, withNames } from './names.ts';
import { baseOf, documentIn, observe } from './observe.ts';
import { afterGap } from './recreate.ts';
import { asResolved, conflictOf } from './resolve.ts';
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
 *     a conflict that a user resolved is a restore, a write or kept (ADR 0062)
 *
 * After a write without a reply, or one that lost against another writer, it reads both sides and decides again.
 */

/** As in mode Once. */
const MAX_ROUNDS = 3;

/** The result for one document; `left`: it is no longer part of the migration; `again`: nothing is certain. */
type Round = Copied | 'left' | 'again';

/** A document whose source was just read. A failure of this document becomes its outcome; only an abort is thrown. */
export async function keepInStep(inputs: ApplyInputs, decision: Decision): Promise<Carried> {
  const { document, inStep: reads } = decision;
  const { sync } = inputs.intent;
  const about = { op: 'engine.sync', target: document.destination };
  if (sync === undefined || reads === undefined) throw new OperatorError('INVARIANT', about);
  try {
    const time = { ms: DEADLINES_MS.copy, ...about };
    return await inTime(inputs, time, async (timed) => new OneDocument(timed, sync, document).run(reads));
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
  /** Under its own name. */
  readonly #named: PlannedDocument;
  #document: PlannedDocument;
  #rows: Rows;
  /** The versions of a write of this process: newer than those of the row. */
  #written: Base | undefined;
  /** A write without a reply, or one that lost. */
  #undecided: OperatorError | undefined;
  /** The step of that write. */
  #attempted: WriteStep | undefined;
  /** The copy of what this run deleted, and may not have created again. */
  #kept: { readonly at: Side; readonly backup: string } | undefined;
  /** What had to stay of a write that was cut off, for the row. */
  #note: string | undefined;

  constructor(inputs: ApplyInputs, sync: SyncIntent, document: PlannedDocument) {
    this.#inputs = inputs;
    this.#sync = withNames(inputs, sync);
    this.#named = document;
    this.#document = document;
    this.#rows = new Rows(inputs, document);
  }

  async run({ atDestination, read: first }: Reads): Promise<Carried> {
    if ('error' in first) throw first.error;
    let atOwn: ReadResult | undefined = first.result;
    let there = atDestination;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const done = await this.#round(atOwn ?? (await this.#readSource()), there);
      if (done === 'left') return { leftOut: 'NotSelected' };
      if (done !== 'again') return this.#noted(done);
      atOwn = undefined;
      there = undefined;
    }
    const target = this.#document.destination;
    throw this.#undecided ?? new OperatorError('VERSION_CONFLICT', { op: 'engine.sync', target });
  }

  async #round(atOwn: ReadResult, there: ReadResult | undefined): Promise<Round> {
    const located = await locate(this.#inputs, this.#named, atOwn);
    if (located === 'ended') return this.#oldNameEnded();
    this.#document = located.document;
    this.#rows = new Rows(this.#inputs, this.#document);
    const { read: atSource } = located;
    const { intent, prior } = this.#inputs;
    const source = documentIn(atSource);
    if (this.#hasLeft(atSource)) return 'left';
    if (!typeIsSelected(intent.selection, source?.attributes.type)) return this.#once(atOwn, undefined);
    const reads = { source: atSource, destination: await this.#readDestination(there) };
    const base = this.#written ?? baseOf(prior.get(this.#document.name), this.#document, reads);
    if (base === undefined) return this.#firstCopy(atOwn, reads);
    if (source?.unfinished === true) return { outcome: this.#rows.sourceUnfinished() };
    if (await this.#settle(reads)) return 'again';
    return this.#decide({ reads, base });
  }

  async #readSource(): Promise<ReadResult> {
    return this.#inputs.source.read(this.#named.source, this.#inputs.signal);
  }

  /** `there`: what was read of it already. */
  async #readDestination(there?: ReadResult): Promise<ReadResult> {
    const { destination, signal } = this.#inputs;
    if (there !== undefined) return there;
    if (this.#document.isNew && this.#undecided === undefined) return { state: 'absent' };
    return destination.read(this.#document.destination, signal);
  }

  /** The listing, which has a label selector, does not show a document that is there. */
  #hasLeft(atSource: ReadResult): boolean {
    const { scope } = this.#inputs.intent.selection;
    return this.#document.isUnlisted === true && atSource.state === 'present' && scope.by === 'labelSelector';
  }

  /** The first copy; a user can decide between two documents that were never equal. */
  async #firstCopy(atOwn: ReadResult, reads: BySide<ReadResult>): Promise<Round> {
    const first = await this.#once(atOwn, reads.destination);
    const conflict = typeof first === 'string' ? undefined : conflictOf(first.outcome);
    // Without it, what was compared is the document at the old address.
    if (conflict === undefined || documentIn(reads.source) === undefined) return first;
    return this.#decide({ reads, base: undefined }, conflict);
  }

  async #once(atSource: ReadResult, atDestination: ReadResult | undefined): Promise<Round> {
    return copyFirst(this.#inputs, this.#sync, { document: this.#named, atSource, atDestination });
  }

  async #oldNameEnded(): Promise<Round> {
    this.#document = this.#named;
    const atDestination = await this.#readDestination();
    return atDestination.state === 'present'
      ? { outcome: missingSince(this.#inputs, this.#rows.unchanged()) }
      : 'left';
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

  /** `conflict`: it is known already. */
  async #decide(seen: Seen, conflict?: ConflictStep): Promise<Round> {
    const document = this.#document;
    const observed = await observe(this.#inputs, this.#sync, { document, ...seen });
    const prior = this.#inputs.prior.get(document.name);
    const decided = conflict ?? afterGap(prior, observed, this.#kept) ?? decideSync(this.#sync, observed);
    const resolved = asResolved(this.#inputs, this.#sync, { document, observed, step: decided });
    const step = inItsTime(this.#inputs, this.#sync, resolved);
    if (step.kind === 'write' || step.kind === 'restore') return this.#write(seen, step);
    return this.#withoutWrite(seen, step);
  }

  #withoutWrite(seen: Seen, step: Exclude<SyncStep, WriteStep>): Round {
    const record = this.#inputs.prior.get(this.#document.name);
    if (step.kind === 'nothing') return this.#rows.equal(seen, false) ?? this.#gone(seen, record);
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
    return this.#counted(this.#rows.equal(seen, step !== undefined), step);
  }

  #gone(seen: Seen, record: PriorRecord | undefined): Round {
    const pruned = rowOfGone(record, this.#inputs.clock.now());
    if (pruned !== undefined) return { outcome: pruned };
    if (!isRemembered(this.#inputs, this.#sync, this.#document)) return 'left';
    return { outcome: this.#rows.gone(seen) };
  }

  async #write(seen: Seen, step: WriteStep): Promise<Round> {
    const inputs = this.#inputs;
    const { name } = this.#document;
    const backup = step.expect === 'absent' ? (this.#kept ?? inputs.prior.get(name))?.backup : undefined;
    const writing = { inputs, document: this.#document, rows: this.#rows, seen, backup };
    const written = await writeSide(writing, step);
    if ('outcome' in written) return this.#counted(written, step);
    // What became of a write that was sent is read also after a stop.
    this.#inputs = { ...inputs, signal: inputs.permit.toComplete.signal };
    this.#undecided = written.undecided;
    this.#attempted = step;
    if (written.kept !== undefined) this.#kept = { at: step.to, backup: written.kept };
    if (written.version !== undefined) this.#written = this.#rows.baseOf(step, written.version);
    return 'again';
  }

  /** Counts a value that was taken from an old name. */
  #counted<Result extends Copied | undefined>(copied: Result, step: WriteStep | undefined): Result {
    const isTaken = copied?.outcome.state === 'Verified' && step?.to === 'destination';
    if (isTaken && isFromOldName(this.#sync, copied.outcome.source?.path)) this.#inputs.onFallback();
    return copied;
  }

  #noted(copied: Copied): Copied {
    return this.#note === undefined ? copied : { ...copied, outcome: noted(copied.outcome, this.#note) };
  }
}

const SIDES = ['destination', 'source'] as const;
