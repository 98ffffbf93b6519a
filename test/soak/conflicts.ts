import type { Chaos } from './chaos.ts';
import { insist, readSide, type Editor } from './editor.ts';
import type { Group } from './groups.ts';
import { otherSide, type Edit, type Entry } from './ledger.ts';

/** The row of a write can become durable so much later than the write is seen. */
const RECORD_MS = 5_000;
/** Edits before the last one that a conflict can be about. */
const RECENT_EDITS = 3;
/** So many edits, of which some are bursts, can follow a deletion before a version of the new history is on record. */
const FORGETTING_EDITS = 10;

/** A conflict that Keyferry showed, which the model resolved. */
export interface Conflict {
  readonly group: string;
  readonly name: string;
  readonly reason: string;
  /** Why there may be one; undefined: there may not. */
  readonly because: string | undefined;
}

/** Looks for conflicts, asks whether they may be there, and resolves them. */
export class Conflicts {
  readonly found: Conflict[] = [];
  /** Conflicts of the last look, with how many edits there were: a row can be older than the edit that ended its conflict. */
  #suspected = new Map<Entry, number>();
  readonly #editor: Editor;
  readonly #chaos: Chaos;

  constructor(editor: Editor, chaos: Chaos) {
    this.#editor = editor;
    this.#chaos = chaos;
  }

  /** Resolves what was a conflict at the last look too, and was not edited since. */
  async resolveAll(groups: readonly Group[]): Promise<void> {
    const suspected = new Map<Entry, number>();
    for (const group of groups) {
      const rows = await insist('rows are read', async () => group.tenant.rows(group.migration));
      for (const { name, reason = 'none', state } of rows) {
        const entry = group.entries.find((each) => each.name === name);
        if (state !== 'Conflict' || entry === undefined || suspected.has(entry)) continue;
        suspected.set(entry, entry.edits.length);
        if (this.#suspected.get(entry) === entry.edits.length) await this.#resolve(group, entry, reason);
      }
    }
    this.#suspected = suspected;
  }

  get unexplained(): readonly Conflict[] {
    return this.found.filter(({ because }) => because === undefined);
  }

  async #resolve(group: Group, entry: Entry, reason: string): Promise<void> {
    const { last } = entry;
    if (last === undefined || entry.resolvedAt === entry.edits.length) return;
    const leading = await readSide(group, entry, last.side);
    const following = await readSide(group, entry, otherSide(last.side));
    if (JSON.stringify(leading) === JSON.stringify(following)) return;
    const because = this.#excuse(entry, reason);
    const conflict = { group: entry.group, name: entry.name, reason, because };
    this.found.push(conflict);
    if (because === undefined) {
      const edits = entry.edits
        .slice(-RECENT_EDITS - 1)
        .map(({ at, ...edit }) => ({ ...edit, at: new Date(at).toISOString() }));
      console.log(
        `UNEXPLAINED ${new Date().toISOString()} ${JSON.stringify({ conflict, leading, following, edits })}`,
      );
    }
    await this.#editor.resolve(group, entry);
  }

  /** ADR 0055, "What remains": a write of Keyferry was not on record when the next edit came, or two edits crossed. */
  #excuse(entry: Entry, reason: string): string | undefined {
    const { edits, inStepAt } = entry;
    if (edits.length <= entry.untidyUntil) return 'the model deleted the side that follows';
    const [before, last] = edits.slice(-2);
    if (before === undefined || last === undefined) return undefined;
    if (reason === 'DestinationDiffers') return this.#excuseOfFirstCopy(edits);
    // Keyferry would say BothChanged if the history was there.
    const isUnreadable = reason === 'BaseUnknown' && entry.historyLostAt >= edits.length - FORGETTING_EDITS;
    if (reason !== 'BothChanged' && !isUnreadable) return undefined;
    if (edits.slice(-RECENT_EDITS).some(({ isCrossing }) => isCrossing)) return 'two edits crossed';
    const from = Math.min(before.at, (inStepAt ?? before.at) - RECORD_MS);
    return this.#disturbedBetween(from, last.at);
  }

  /** Until the first row is durable, nothing says which side changed. */
  #excuseOfFirstCopy([first, second]: readonly Edit[]): string | undefined {
    return first && second && this.#disturbedBetween(first.at, second.at);
  }

  #disturbedBetween(from: number, to: number): string | undefined {
    const what = this.#chaos.disturbanceBetween(from, to + RECORD_MS);
    return what && `between two edits: ${what}`;
  }
}
