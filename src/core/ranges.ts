import { textHash } from './text-hash.ts';

/** One of the equal parts into which the documents of a large migration are cut, by a hash of their names. */
export interface Range {
  /** From 0 to `count` − 1. */
  readonly index: number;
  readonly count: number;
}

/** The range of the document of this name: the same in every process and version, or two pods would move one document. */
export function rangeOf(name: string, count: number): number {
  return Math.floor((textHash(name) * count) / 2 ** 32);
}
