import type { LeftOutReason } from '#src/errors/reasons.ts';
import type { Address } from './document.ts';
import { NameTable, type Mark } from './name-table.ts';

/** More of them do not fit into the request that leaves them out. */
const MAX_OTHERS = 250;

/** How many documents a run found at the source, and what became of them: `discovered` is the sum of the others. */
export interface InventoryCounts {
  readonly discovered: number;
  /** They have rows. */
  readonly selected: number;
  readonly leftOut: ReadonlyMap<LeftOutReason, number>;
}

/** Discovered, with neither a row nor a reason yet. Other users of the same names have other marks. */
const OPEN: Mark = 1;

/**
 * Accounts for every document that the source lists or an earlier run moved. Each is discovered once and must end with a row
 * or with a reason without one.
 */
export class InventoryCount {
  /** All names that were discovered. */
  readonly names = new NameTable();
  readonly #leftOut = new Map<LeftOutReason, number>();
  readonly #others: Address[] = [];
  #discovered = 0;
  #selected = 0;

  /** There is or was a document of this name at the source, and it is to be a row. Returns the number of the name. */
  discover(name: string): number {
    this.#discovered += 1;
    const item = this.names.add(name);
    this.names.mark(item, OPEN);
    return item;
  }

  /** The source has a document that gets no row. `address`: where, if its name is why. */
  leaveOut(reason: LeftOutReason, address?: Address): void {
    this.#discovered += 1;
    this.#count(reason);
    if (address !== undefined && this.#others.length < MAX_OTHERS) this.#others.push(address);
  }

  /** The first documents that were left out because of their names. */
  get others(): readonly Address[] {
    return this.#others;
  }

  /** A discovered document is not selected after all: only the read showed its type. */
  dismiss(name: string, reason: LeftOutReason): void {
    if (this.#close(name)) this.#count(reason);
  }

  /** A document has a row. */
  report(name: string): void {
    if (this.#close(name)) this.#selected += 1;
  }

  counts(): InventoryCounts {
    return { discovered: this.#discovered, selected: this.#selected, leftOut: this.#leftOut };
  }

  /** True if it was open. */
  #close(name: string): boolean {
    const item = this.names.indexOf(name);
    if (item === undefined || !this.names.isMarked(item, OPEN)) return false;
    this.names.unmark(item, OPEN);
    return true;
  }

  #count(reason: LeftOutReason): void {
    this.#leftOut.set(reason, (this.#leftOut.get(reason) ?? 0) + 1);
  }
}

/** True when every discovered document has a row or a reason. */
export function isBalanced({ discovered, selected, leftOut }: InventoryCounts): boolean {
  return [...leftOut.values()].reduce((sum, documents) => sum + documents, selected) === discovered;
}
