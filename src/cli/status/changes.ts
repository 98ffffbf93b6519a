import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';

/** One key that is in another state than at the look before. */
export interface Change {
  readonly row: KeyRow;
  /** Undefined: it was not there. */
  readonly before: KeyRow['state'] | undefined;
}

const MOST_KEPT = 50;

/** Which keys changed, from successive tables. */
export class Changes {
  #states: ReadonlyMap<string, KeyRow> | undefined;
  #last: readonly Change[] = [];

  /** The newest first. */
  get last(): readonly Change[] {
    return this.#last;
  }

  /** The first table is no change. */
  see(rows: readonly KeyRow[]): void {
    const before = this.#states;
    this.#states = new Map(rows.map((row) => [JSON.stringify([row.name, row.key]), row]));
    if (before === undefined) return;
    const changed = [...this.#states].flatMap(([key, row]): readonly Change[] => {
      const old = before.get(key);
      const isSame =
        old?.state === row.state &&
        old.reason === row.reason &&
        old.destination?.version === row.destination?.version;
      return isSame ? [] : [{ row, before: old?.state }];
    });
    const newest = changed.toSorted(
      (left, right) => Date.parse(right.row.lastTransitionTime) - Date.parse(left.row.lastTransitionTime),
    );
    this.#last = [...newest, ...this.#last].slice(0, MOST_KEPT);
  }
}
