/*
 * What the model did, and what must follow from it. It knows nothing of how Keyferry decides.
 */

/** Where a document is: `secret` in Kubernetes, `path` in the KV server. */
export type Side = 'secret' | 'path';

export function otherSide(side: Side): Side {
  return side === 'secret' ? 'path' : 'secret';
}

/** One edit by the model; its value names it, so that a value that is found anywhere tells who wrote it and when. */
export interface Edit {
  readonly token: string;
  readonly index: number;
  readonly side: Side;
  readonly kind: 'put' | 'delete';
  /** Milliseconds of the wall clock. */
  readonly at: number;
  /** The edit before it, at the other side, had not arrived at this side yet. */
  readonly isCrossing: boolean;
  /** Requests that it took: more than one, and the same value can be stored twice. */
  attempts: number;
}

/** A token of the model: group, name, number of the edit, `drift` for an edit of the side that follows, `b` for binary. */
const TOKEN = /^soak-([a-z]+)-(doc-\d+)-(drift|edit)-(\d+)b?$/;
/** Every so many edits of a Secret are binary. KV has them as marked base64, which only Keyferry writes. */
const BINARY_EVERY = 3;

/** One document at both sides, and all edits of it. */
export class Entry {
  readonly group: string;
  readonly name: string;
  readonly edits: Edit[] = [];
  /** Tokens that the model wrote to the side that follows, and that a restore must keep. */
  readonly drifts: string[] = [];
  /** When both sides were last seen as the model wants them. */
  inStepAt: number | undefined;
  /** The last edit that deleted a path with its history: what both sides had before cannot be read any more. */
  historyLostAt = -1;
  /** How many edits there were when its last conflict was resolved. */
  resolvedAt = -1;
  /** Writes by which the model resolved conflicts, and those that it sent more than once. */
  readonly repeated = new Set<string>();
  /** Secrets of this document that the model deleted. */
  secretsDeleted = 0;
  /** The model deleted the side that follows, to resolve a conflict. */
  isFollowerDeleted = false;

  /** The model deleted the side that follows: until it had so many edits, that can be seen as a change of it. */
  untidyUntil = -1;

  constructor(group: string, name: string) {
    this.group = group;
    this.name = name;
  }

  get last(): Edit | undefined {
    return this.edits.at(-1);
  }

  /** Puts the next edit on record: before it is sent. */
  next(
    side: Side,
    kind: Edit['kind'],
    { isCrossing = false, isText = side === 'path' }: { isCrossing?: boolean; isText?: boolean } = {},
  ): Edit {
    const index = this.edits.length;
    const isBinary = !isText && index % BINARY_EVERY === BINARY_EVERY - 1;
    const token = `soak-${this.group}-${this.name}-edit-${index}${isBinary ? 'b' : ''}`;
    const edit = { token, index, side, kind, at: Date.now(), isCrossing, attempts: 0 };
    this.edits.push(edit);
    if (kind === 'put') this.isFollowerDeleted = false;
    return edit;
  }

  nextDrift(): string {
    const token = `soak-${this.group}-${this.name}-drift-${this.drifts.length}`;
    this.drifts.push(token);
    return token;
  }

  /** Which edit wrote this value; undefined if no edit of this document did. */
  editOf(token: string): Edit | undefined {
    const [, group, name, kind, index] = TOKEN.exec(token) ?? [];
    if (group !== this.group || name !== this.name || kind !== 'edit') return undefined;
    const edit = this.edits[Number(index)];
    return edit?.kind === 'put' ? edit : undefined;
  }

  isDrift(token: string): boolean {
    return this.drifts.includes(token);
  }
}

export function isBinary(token: string): boolean {
  return token.endsWith('b');
}

/** What is at one side: the token of the value, or why there is none. `foreign`: a value that the model never wrote. */
export type Found =
  | { readonly state: 'present'; readonly token: string }
  | { readonly state: 'absent' }
  | { readonly state: 'foreign'; readonly why: string };

/** Why a value that was found is wrong whatever else happened: nobody wrote it. Undefined if somebody did. */
export function strangenessOf(entry: Entry, found: Found): string | undefined {
  if (found.state === 'absent') return undefined;
  if (found.state === 'foreign') return `has a value that nobody wrote: ${found.why}`;
  const isKnown = entry.editOf(found.token) !== undefined || entry.isDrift(found.token);
  return isKnown ? undefined : `has a value that nobody wrote there: ${found.token}`;
}

/** What is wrong with both sides once everything is quiet; empty if they are as the last edit wants them. */
export function faultsOf(entry: Entry, found: Readonly<Record<Side, Found>>): readonly string[] {
  const { last } = entry;
  if (last === undefined) return [];
  const follower = otherSide(last.side);
  const strange = [last.side, follower].flatMap((side) => {
    const why = strangenessOf(entry, found[side]);
    return why === undefined ? [] : [`the ${side} ${why}`];
  });
  if (strange.length > 0) return strange;
  return last.kind === 'delete' ? afterDeletion(entry, last, found) : afterPut(last, found);
}

function afterPut({ token, side }: Edit, found: Readonly<Record<Side, Found>>): readonly string[] {
  const faults: string[] = [];
  for (const each of [side, otherSide(side)]) {
    const there = found[each];
    const what = there.state === 'present' ? there.token : there.state;
    if (what !== token) faults.push(`the ${each} has ${what}, and the last edit (${side}) is ${token}`);
  }
  return faults;
}

/** Nothing is pruned: the side that was not deleted keeps a value, and the other one has none. */
function afterDeletion(
  entry: Entry,
  { index, side }: Edit,
  found: Readonly<Record<Side, Found>>,
): readonly string[] {
  const there = found[side];
  if (there.state === 'present')
    return [`the ${side} is back with ${there.token} after edit ${index} deleted it`];
  const follower = otherSide(side);
  const wasCarried = entry.inStepAt !== undefined && !entry.isFollowerDeleted;
  if (wasCarried && found[follower].state === 'absent')
    return [`the ${follower} is gone, and nobody deleted it`];
  return [];
}

/**
 * Follows the values of one side in the order in which they were stored: edits may be skipped, never come back. Drift is
 * restored, so it may be followed by the edit before it.
 */
export class Order {
  #newest = -1;
  #wasGone = false;

  /** What is wrong with the next value. */
  next(entry: Entry, found: Found): string | undefined {
    if (found.state === 'absent') {
      this.#wasGone = true;
      return undefined;
    }
    const strange = strangenessOf(entry, found);
    if (strange !== undefined || found.state === 'foreign') return strange;
    const edit = entry.editOf(found.token);
    if (edit === undefined) return undefined;
    const isBack = this.#wasGone && edit.index <= this.#newest && !entry.repeated.has(edit.token);
    if (isBack) return `came back with ${found.token} after it was deleted`;
    if (edit.index < this.#newest) return `went back from edit ${this.#newest} to ${found.token}`;
    this.#newest = edit.index;
    this.#wasGone = false;
    return undefined;
  }
}
