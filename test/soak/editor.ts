import { eventually } from '#test/support/eventually.ts';
import type { Group } from './groups.ts';
import { isBinary, otherSide, type Edit, type Entry, type Found, type Side } from './ledger.ts';
import { deletePath, deleteSecret, putPath, putSecret, readPath, readSecret } from './sides.ts';

/** A server that restarts answers again before this. */
const DEADLINE_MS = 120_000;
const RETRY_MS = 200;

/** Chances in percent. */
const JOINS = 2;
const DELETES = 6;
const BURSTS = 15;
const CROSSES = 30;
const DRIFTS = 20;
const LONGEST_BURST = 5;

export interface Counts {
  edits: number;
  deletions: number;
  joined: number;
  crossings: number;
  drifts: number;
}

/** Repeats until a server has accepted it: an edit without a reply may have been stored, and is sent again. */
export async function insist<T>(what: string, work: () => Promise<T>): Promise<T> {
  const { value } = await eventually(what, async () => ({ value: await work() }), {
    deadlineMs: DEADLINE_MS,
    pollMs: RETRY_MS,
  });
  return value;
}

export async function readSide({ tenant }: Group, { name }: Entry, side: Side): Promise<Found> {
  const read = side === 'secret' ? readSecret : readPath;
  return insist(`${name} is read`, async () => read(tenant, name));
}

/** The independent model: edits documents at random, one after the other, and keeps the ledger. */
export class Editor {
  readonly counts: Counts = { edits: 0, deletions: 0, joined: 0, crossings: 0, drifts: 0 };
  readonly #random: (below: number) => number;

  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  /** Writes the first value of a document. */
  async create(group: Group, entry: Entry): Promise<void> {
    await this.#send(group, entry, entry.next(group.kind.origin, 'put'));
  }

  /** One random edit, or a burst of some of one document; a new document only if that `mayJoin`. */
  async edit(groups: readonly Group[], mayJoin: boolean): Promise<void> {
    const group = this.#oneOf(groups);
    if (this.#happens(JOINS) && mayJoin) {
      this.counts.joined += 1;
      await this.create(group, group.join());
      return;
    }
    const entry = this.#oneOf(group.entries);
    if (group.kind.hasDrift && this.#happens(DRIFTS)) {
      await this.#drift(group, entry);
      return;
    }
    const times = this.#happens(BURSTS) ? 2 + this.#random(LONGEST_BURST - 1) : 1;
    const side = await this.#chooseSide(group, entry);
    if (side === undefined) return;
    for (let count = 0; count < times; count += 1) await this.#put(group, entry, side);
    if (side.mayDelete && this.#happens(DELETES)) await this.#delete(group, entry, side.at);
  }

  /** Makes both sides equal to the last edit, as a person does who resolves a conflict. */
  async resolve(group: Group, entry: Entry): Promise<void> {
    const last = await this.#finalWord(group, entry);
    const { name } = entry;
    const { tenant } = group;
    entry.resolvedAt = entry.edits.length;
    entry.repeated.add(last.token);
    const follower = otherSide(last.side);
    const what = `the conflict of ${name} is resolved`;
    if (last.kind === 'put') {
      const put = follower === 'secret' ? putSecret : putPath;
      await insist(what, async () => put(tenant, name, last.token));
      return;
    }
    entry.isFollowerDeleted = true;
    entry.untidyUntil = entry.edits.length + 2;
    if (follower === 'secret') entry.secretsDeleted += 1;
    await insist(what, async () =>
      follower === 'secret' ? deleteSecret(tenant, name) : deletePath(tenant, name, 'with its history'),
    );
  }

  /** A person cannot write a binary value to the KV server as Keyferry does, and chooses another one. */
  async #finalWord(group: Group, entry: Entry): Promise<Edit> {
    const { last } = entry;
    if (last === undefined) throw new Error(`${entry.name} has a conflict, and was never written`);
    if (last.kind === 'delete' || !isBinary(last.token)) return last;
    const text = entry.next(last.side, 'put', { isText: true });
    await this.#send(group, entry, text);
    return text;
  }

  /** Where a document can be edited now, and whether that crosses an edit of the other side. Undefined: nowhere yet. */
  async #chooseSide(group: Group, entry: Entry): Promise<Chosen | undefined> {
    const { editable, hasDrift, origin } = group.kind;
    const [only, ...others] = editable;
    const { last } = entry;
    // Drift of a document whose leader was deleted is a conflict, and not the subject here.
    if (others.length === 0 && only === origin)
      return { at: origin, isCrossing: false, mayDelete: !hasDrift };
    // A document that is deleted at one side comes back there. One that is gone at both is new, and joins where it is selected.
    if (last?.kind === 'delete')
      return { at: entry.isFollowerDeleted ? origin : last.side, isCrossing: false, mayDelete: false };
    // One that is at its origin only arrives first.
    return this.#alongside(group, entry, this.#oneOf(editable));
  }

  /** An edit at a side that the last one may not have reached yet. */
  async #alongside(group: Group, entry: Entry, at: Side): Promise<Chosen | undefined> {
    const { last } = entry;
    const there = await readSide(group, entry, at);
    if (there.state === 'present' && there.token === last?.token) {
      const other = await readSide(group, entry, otherSide(at));
      const isInStep = other.state === 'present' && other.token === last.token;
      return { at, isCrossing: false, mayDelete: isInStep };
    }
    const isSameSide = last?.side === at && entry.edits.length > 1;
    if (!isSameSide && !this.#mayCross(group, there)) return undefined;
    return { at, isCrossing: !isSameSide, mayDelete: false };
  }

  /** Now and then, where both sides lead. */
  #mayCross({ kind }: Group, there: Found): boolean {
    return kind.editable.length > 1 && there.state === 'present' && this.#happens(CROSSES);
  }

  async #put(group: Group, entry: Entry, { at, isCrossing }: Chosen): Promise<void> {
    if (isCrossing) this.counts.crossings += 1;
    await this.#send(group, entry, entry.next(at, 'put', { isCrossing }));
  }

  async #delete(group: Group, entry: Entry, side: Side): Promise<void> {
    this.counts.deletions += 1;
    const { name } = entry;
    const { tenant } = group;
    const edit = entry.next(side, 'delete');
    const how = this.#happens(50) ? 'hidden' : 'with its history';
    if (side === 'secret') entry.secretsDeleted += 1;
    else if (how === 'with its history') entry.historyLostAt = edit.index;
    await insist(`${name} is deleted`, async () => {
      edit.attempts += 1;
      await (side === 'secret' ? deleteSecret(tenant, name) : deletePath(tenant, name, how));
    });
  }

  async #send({ tenant }: Group, { name, repeated }: Entry, edit: Edit): Promise<void> {
    this.counts.edits += 1;
    const put = edit.side === 'secret' ? putSecret : putPath;
    await insist(`${edit.token} is written`, async () => {
      edit.attempts += 1;
      if (edit.attempts > 1) repeated.add(edit.token);
      await put(tenant, name, edit.token);
    });
  }

  /** An edit of the Secret that follows, once it is there. */
  async #drift(group: Group, entry: Entry): Promise<void> {
    const there = await readSide(group, entry, 'secret');
    if (there.state !== 'present') return;
    this.counts.drifts += 1;
    const token = entry.nextDrift();
    await insist(`${token} is written`, async () => putSecret(group.tenant, entry.name, token));
  }

  #happens(percent: number): boolean {
    return this.#random(100) < percent;
  }

  #oneOf<T>(items: readonly T[]): T {
    const item = items[this.#random(items.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  }
}

interface Chosen {
  readonly at: Side;
  readonly isCrossing: boolean;
  /** Only what is in step is deleted: an edit that had not arrived would be gone with it. */
  readonly mayDelete: boolean;
}
