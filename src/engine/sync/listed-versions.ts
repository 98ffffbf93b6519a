import type { Version } from '#src/core/document.ts';
import { NameTable } from '#src/core/name-table.ts';
import { isRecorded } from '#src/core/sync/base.ts';
import type { BySide, Side } from '#src/core/sync/observed.ts';
import type { PlanInputs } from '../plan/inputs.ts';

const SAME: BySide<number> = { source: 1, destination: 2 };

/**
 * Which documents the listings of an inventory show in the versions of their rows, where these listings show versions: then no
 * other listing is needed for them. Keeps no version.
 */
export class ListedVersions {
  readonly #prior: PlanInputs['prior'];
  readonly #names = new NameTable();
  readonly #shown = new Set<Side>();

  constructor({ prior }: Pick<PlanInputs, 'prior'>) {
    this.#prior = prior;
  }

  /** A listing shows this version of a document at its own address. */
  note(side: Side, name: string, version: Version): void {
    const row = this.#prior.get(name);
    const recorded = row?.[side];
    const isAtOld = side === 'source' && row?.source?.path !== undefined;
    if (row?.state !== 'Verified' || recorded === undefined || isAtOld) return;
    this.#shown.add(side);
    const item = this.#names.add(name);
    if (isRecorded(recorded, version)) this.#names.mark(item, SAME[side]);
    else this.#names.unmark(item, SAME[side]);
  }

  /** False if the listings of this side show no versions. */
  shows(side: Side): boolean {
    return this.#shown.has(side);
  }

  /** True for a document in the version that its row has. */
  isSame(side: Side, name: string): boolean {
    const item = this.#names.indexOf(name);
    return item !== undefined && this.#names.isMarked(item, SAME[side]);
  }
}
