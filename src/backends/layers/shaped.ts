import type { Address } from '#src/core/document.ts';
import { compileJoinedKeys } from '#src/core/mapping/joined-keys.ts';
import { leftOutByFolder, type Selection } from '#src/core/selection.ts';
import type { Driver, Reader } from '../driver.ts';
import { isProblem } from '../listing-problem.ts';
import { joined } from './join.ts';
import { split, wholeOf } from './split.ts';

/** The part of `spec.mapping` that makes one document of several, or several of one. At most one of them is set. */
export interface Shape {
  readonly join?: { readonly key?: string | undefined } | undefined;
  readonly split?: { readonly key?: string | undefined } | undefined;
}

/** The key of the value of a document that was split, if the spec does not say. */
export const DEFAULT_SPLIT_KEY = 'value';

/** The source as the mapping shows it; the same driver without a shape. */
export function shaped(driver: Driver, { join, split: parted }: Shape, selection: Selection): Driver {
  if (join !== undefined) return joined(driver, compileJoinedKeys(join.key));
  if (parted === undefined) return driver;
  const { key = DEFAULT_SPLIT_KEY } = parted;
  return split(driver, { key, leftOut: (folder) => leftOutByFolder(selection, folder) });
}

/** The name of the document in the store that a document of this name is, or is a key of. */
export function storedNameOf({ split: parted }: Shape, name: Address): Address {
  return parted === undefined ? name : wholeOf(name);
}

/**
 * The names of the documents that a change of the document of this name in the store can change: itself, or with a split each
 * of its keys, those that it has now and those in `known` that it had. `source` is the shaped one. Throws what a listing throws.
 */
export async function namesChangedBy(
  name: Address,
  { split: parted }: Shape,
  {
    source,
    known,
    signal,
  }: {
    readonly source: Pick<Reader, 'list'>;
    readonly known: Iterable<string>;
    readonly signal: AbortSignal;
  },
): Promise<ReadonlySet<string>> {
  if (parted === undefined) return new Set([name]);
  const names = new Set([...known].filter((each) => wholeOf(each) === name));
  for await (const listed of source.list({ folder: name }, signal))
    if (!isProblem(listed)) names.add(listed.address);
  return names;
}
