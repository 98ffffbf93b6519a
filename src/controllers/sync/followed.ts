import type { ListedVersion, VersionState } from '#src/backends/listing.ts';
import type { Address } from '#src/core/document.ts';
import type { Outcome, RecordedVersion } from '#src/core/outcome.ts';
import type { BySide, Side } from '#src/core/sync/observed.ts';
import type { OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import { Changes } from './changes.ts';
import { hiddenBy, sorted } from './listing.ts';
import {
  ABSENT,
  flat,
  joined,
  LEFT,
  PART,
  markOf,
  parted,
  readMark,
  SIDES,
  UNKNOWN,
  type Mark,
} from './marks.ts';
import { DocumentNames, type NamesOptions, type SeenLabels } from './names.ts';

export interface FollowedOptions extends NamesOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Called with the milliseconds from the moment when a change was seen until it was proven at the other side and recorded. */
  readonly onPropagated?: (ms: number) => void;
}

/**
 * One migration that is kept in step, in this process: which of its documents may have changed since they were last read. It
 * knows versions and no values, and decides nothing: a document that it names is read at both sides.
 *
 *     sourceSeen, destinationSeen ─► waits ── take ──► taken ── remember, leaveOut ──► settled
 *                                      ▲                 └────────── putBack ─────────┐
 *                                      └──────────────────────────────────────────────┘
 *
 * A document waits if and only if the version that was last seen at one of its sides differs from the remembered one. So the
 * own write is no change, whether the watch tells of it before or after `remember`. What is taken and never settled is taken
 * again by the next `take`.
 */
export class Followed {
  /** Why the versions of a side could not be listed the last time; empty while they can. */
  readonly problems = new Map<Side, OperatorError>();
  readonly #options: Pick<FollowedOptions, 'clock' | 'onPropagated'>;
  readonly #names: DocumentNames;
  readonly #changes: Changes;
  /** Failed, and to be tried again soon: taken until then. */
  readonly #retried = new Set<string>();
  /** Their other side was deleted, and a gate holds their removal. */
  readonly #held = new Set<string>();
  /** When all changes of a side up to then were known, monotonic milliseconds. */
  readonly #knownAt: Record<Side, number>;
  /** By name: the marks of both sides, joined. */
  readonly #marks = new Map<string, string>();

  /** It begins at the end of a pass, when both sides are known. */
  constructor({ clock, onPropagated, ...names }: FollowedOptions) {
    this.#options = { clock, ...(onPropagated === undefined ? {} : { onPropagated }) };
    this.#names = new DocumentNames(names);
    this.#changes = new Changes(clock);
    const now = clock.monotonic();
    this.#knownAt = { source: now, destination: now };
  }

  /** Documents whose versions are remembered. */
  get size(): number {
    return this.#marks.size;
  }

  get problem(): OperatorError | undefined {
    return this.problems.get('source') ?? this.problems.get('destination');
  }

  /** True if `take` would name a document that changed. */
  get isDirty(): boolean {
    return this.#changes.isDirty;
  }

  /** Since when the oldest change, or failure that is retried soon, is not settled; monotonic milliseconds. */
  get oldestDirtyAt(): number | undefined {
    return this.#changes.oldestAt;
  }

  /** The moment up to which all changes of a side are known, if no watch covers it; monotonic milliseconds. */
  knownAt(side: Side): number {
    return this.#knownAt[side];
  }

  /**
   * What a pass (`all`) or a follow (`some`) found: settles these documents, and with `all` forgets the versions of every other
   * one. What was seen after `take` and differs still waits. A failure with `retry: 'soon'` settles nothing: the next `take` names the
   * document again, and until then it is not dirty, so that its back-off counts. Each `take` names a document whose removal a gate
   * holds.
   */
  remember(outcomes: Iterable<Outcome>, which: 'all' | 'some'): void {
    const found = [...outcomes].map((outcome) => ({ ...outcome, name: flat(outcome.name) }));
    if (which === 'all') {
      const names = new Set(found.map(({ name }) => name));
      for (const name of this.#marks.keys()) if (!names.has(name)) this.#marks.delete(name);
      for (const name of this.#held) if (!names.has(name)) this.#held.delete(name);
      this.#changes.keepFailing(names);
      for (const [whole, source] of this.#names.wholesOf(found)) this.#settle(flat(whole), { source });
    }
    for (const outcome of found) {
      if (outcome.retry === 'soon') this.#toRetry(outcome.name);
      else this.#settle(outcome.name, outcome);
      if (isHeldRemoval(outcome)) this.#held.add(outcome.name);
    }
    this.#names.remember(found, which);
  }

  /**
   * Documents that were taken and looked at and have no row, because the selection leaves them out: they are not asked about
   * again in the versions that were seen.
   */
  leaveOut(names: Iterable<string>): void {
    for (const name of names)
      if (this.#changes.has(name) && !this.#retried.has(name)) this.#settle(flat(name), {});
  }

  #toRetry(name: string): void {
    this.#retried.add(name);
    this.#changes.noteFailing(name);
  }

  #settle(
    name: string,
    outcome: Partial<BySide<RecordedVersion | undefined>> & Pick<Outcome, 'copiedNow'>,
  ): void {
    this.#retried.delete(name);
    this.#held.delete(name);
    const seen = this.#changes.settle(name);
    if (seen !== undefined && outcome.copiedNow === true)
      this.#options.onPropagated?.(this.#options.clock.monotonic() - seen.since);
    const remembered = this.#remembered(name);
    const markOfSide = (side: Side, recorded: RecordedVersion | undefined): Mark =>
      readMark(recorded, { seen: seen?.marks[side], remembered: remembered[side] });
    const isPart = this.#names.wholeOf(name) !== undefined && !this.#names.isWhole(name);
    const now = {
      source: isPart ? PART : markOfSide('source', outcome.source),
      destination: markOfSide('destination', outcome.destination),
    };
    this.#store(name, now);
    for (const side of SIDES)
      if (this.#changes.waiting(name, side) === now[side]) this.#changes.drop(name, side);
  }

  #store(name: string, marks: BySide<Mark>): void {
    const text = joined(marks);
    if (text === undefined) this.#marks.delete(name);
    else this.#marks.set(name, text);
  }

  #remembered(name: string): BySide<Mark> {
    return parted(this.#marks.get(name));
  }

  /** Nothing more is known of the document. */
  forget(name: string): void {
    this.#marks.delete(name);
    this.#changes.forget(name);
    this.#retried.delete(name);
    this.#held.delete(name);
    this.#names.forget(name);
  }

  /**
   * The names that wait; they are taken until they are settled or put back. With a Secret that is split, its known keys; the name
   * of the Secret itself stands for those that may be new (`namesChangedBy`).
   */
  take(): ReadonlySet<string> {
    this.#retried.clear();
    const taken = new Set([...this.#changes.take(), ...this.#held]);
    const isWhole = [...taken].some((name) => this.#names.isWhole(name));
    if (!isWhole) return taken;
    const keys = [...this.#marks.keys()].filter((name) => taken.has(this.#names.wholeOf(name) ?? name));
    return new Set([...taken, ...keys]);
  }

  /** Documents that were taken and not brought to an end: they wait again, also after `remember`. */
  putBack(names: Iterable<string>): void {
    for (const name of names) {
      if (this.#changes.putBack(name)) continue;
      this.#store(flat(name), { source: UNKNOWN, destination: UNKNOWN });
      this.#changes.note(flat(name), 'source', UNKNOWN);
    }
  }

  /**
   * A document of the source was seen, by a watch with its labels. True if its migration should be woken: it changed, or it is
   * new and selected, or its labels select it no longer.
   */
  sourceSeen(address: Address, state: VersionState, labels?: SeenLabels): boolean {
    const name = this.#names.at('source', address);
    if (name === undefined || !(this.#isKnown(name) || this.#names.selects(name, labels))) return false;
    const mark = markOf(state);
    return this.#see('source', name, mark === ABSENT || this.#names.hasLabels(labels) ? mark : LEFT);
  }

  /** True for a document that waits or is taken because its labels select it no longer: it is there, and is left alone. */
  hasLeft(name: string): boolean {
    return this.#changes.last(name, 'source') === LEFT;
  }

  /** As `sourceSeen`, for the destination: nothing is new there, because the source decides what is selected. */
  destinationSeen(address: Address, state: VersionState): boolean {
    const name = this.#names.at('destination', address);
    if (name === undefined || !this.#isKnown(name) || this.#remembered(name).source === LEFT) return false;
    return this.#see('destination', name, markOf(state));
  }

  #isKnown(name: string): boolean {
    return this.#marks.has(name) || this.#changes.has(name);
  }

  #see(side: Side, name: string, mark: Mark): boolean {
    const isRemembered = mark !== UNKNOWN && mark === this.#remembered(name)[side];
    if (!isRemembered) return this.#changes.note(name, side, mark);
    this.#changes.drop(name, side);
    return false;
  }

  /**
   * All that a complete listing of the versions of one side yielded. Marks also the documents that had a version there and that it
   * did not yield, except for those in a folder or at an address that it could not list. True if something changed.
   */
  listed(side: Side, versions: readonly ListedVersion[]): boolean {
    this.#knownAt[side] = this.#options.clock.monotonic();
    const { found, problems } = sorted(versions);
    const isChanged =
      side === 'source'
        ? this.#names.leading(found).map((each) => this.sourceSeen(each.address, each))
        : found.map((each) => this.destinationSeen(each.address, each));
    const missing = this.#missing(side, found, hiddenBy(problems));
    return [...isChanged, ...missing.map((name) => this.#see(side, name, ABSENT))].includes(true);
  }

  #missing(
    side: Side,
    found: readonly { readonly address: Address }[],
    isHidden: (address: Address) => boolean,
  ): readonly string[] {
    const names = new Set(found.map(({ address }) => this.#names.at(side, address)));
    const missing = this.#known(side).filter((name) => !names.has(name));
    return [...this.#names.addressesOf(side, missing)]
      .filter(([, address]) => !isHidden(address))
      .map(([name]) => name);
  }

  /** The documents that have a version at this side, remembered or waiting. */
  #known(side: Side): readonly string[] {
    const remembered = [...this.#marks].filter(([, marks]) => ![ABSENT, PART].includes(parted(marks)[side]));
    const isNew = (name: string): boolean => !this.#marks.has(name);
    return [...remembered.map(([name]) => name), ...[...this.#changes.names()].filter(isNew)];
  }

  /** The addresses at one side of the documents that are known. */
  *addresses(side: Side): Generator<Address> {
    const names = new Set([...this.#marks.keys(), ...this.#changes.names()]);
    for (const [, address] of this.#names.addressesOf(side, names)) yield address;
  }
}

/** A document whose other side was deleted and that stays for now: no event tells when the gate opens. */
function isHeldRemoval({ retry, state }: Outcome): boolean {
  return state === 'Skipped' && retry === 'later';
}
