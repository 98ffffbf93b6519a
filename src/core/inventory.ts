import type { LeftOutReason } from '#src/errors/reasons.ts';
import type { Address } from './document.ts';

/** More of them do not fit into the request that leaves them out. */
const MAX_OTHERS = 250;

/** How many documents a run found at the source, and what became of them: `discovered` is the sum of the others. */
export interface InventoryCounts {
  readonly discovered: number;
  /** They have rows. */
  readonly selected: number;
  readonly leftOut: ReadonlyMap<LeftOutReason, number>;
}

/**
 * Accounts for every document that the source lists or an earlier run moved. Each is discovered once and must end with a row
 * or with a reason without one.
 */
export class InventoryCount {
  readonly #leftOut = new Map<LeftOutReason, number>();
  /** Names that were discovered and have neither a row nor a reason yet. */
  readonly #open = new Set<string>();
  readonly #others: Address[] = [];
  #discovered = 0;
  #selected = 0;

  /** There is or was a document of this name at the source, and it is to be a row. */
  discover(name: string): void {
    this.#discovered += 1;
    this.#open.add(name);
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
    if (this.#open.delete(name)) this.#count(reason);
  }

  /** A document has a row. */
  report(name: string): void {
    if (this.#open.delete(name)) this.#selected += 1;
  }

  counts(): InventoryCounts {
    return { discovered: this.#discovered, selected: this.#selected, leftOut: this.#leftOut };
  }

  #count(reason: LeftOutReason): void {
    this.#leftOut.set(reason, (this.#leftOut.get(reason) ?? 0) + 1);
  }
}

/** True when every discovered document has a row or a reason. */
export function isBalanced({ discovered, selected, leftOut }: InventoryCounts): boolean {
  return [...leftOut.values()].reduce((sum, documents) => sum + documents, selected) === discovered;
}
