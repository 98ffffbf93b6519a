import type { Address } from '#src/core/document.ts';

/** One document that will be worked on. */
export interface Item {
  readonly name: string;
  readonly source: Address;
  readonly destination: Address;
  /** The names of the destination tell that it has nothing there. */
  readonly isNew: boolean;
}
