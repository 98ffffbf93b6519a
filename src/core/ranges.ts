/** One of the equal parts into which the documents of a large migration are cut, by a hash of their names. */
export interface Range {
  /** From 0 to `count` − 1. */
  readonly index: number;
  readonly count: number;
}

/**
 * The range of the document of this name: the same in every process and version, or two pods would move one document. The hash is
 * FNV-1a of 32 bits over UTF-16 code units, mixed, because its high bits hardly depend on the last letters.
 */
export function rangeOf(name: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1)
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return Math.floor((((hash ^ (hash >>> 16)) >>> 0) * count) / 2 ** 32);
}
