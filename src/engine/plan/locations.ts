import type { Location, Reader } from '#src/backends/driver.ts';
import type { Address } from '#src/core/document.ts';
import { removesSource } from '#src/core/checks.ts';
import { KeyIndex } from '#src/core/key-index.ts';
import { keyOf, type Places, type Uses } from '../crossings.ts';
import { MARKS, type Documents } from './documents.ts';
import type { PlanInputs } from './inputs.ts';

/*
 * Where documents physically are, without a text for each: a location is what the store adds to an address, and the address.
 */

/** Finds the selected document whose source is at a location. Indexes them once a location of the same store is asked for. */
export class SourcesByLocation {
  readonly #source: Pick<Reader, 'locationOf'>;
  readonly #documents: Documents;
  #stores: ReadonlySet<string> | undefined;
  #index: KeyIndex | undefined;

  constructor(source: Pick<Reader, 'locationOf'>, documents: Documents) {
    this.#source = source;
    this.#documents = documents;
  }

  find(location: Location): number | undefined {
    this.#stores ??= this.#storesNow();
    if (!this.#stores.has(location.store)) return undefined;
    this.#index ??= this.#indexed();
    return this.#index.find(keyOf(location));
  }

  #indexed(): KeyIndex {
    const index = new KeyIndex((item) => this.#keyOf(item));
    for (const item of this.#documents.with()) index.add(item, this.#keyOf(item));
    return index;
  }

  #keyOf(item: number): string {
    return keyOf(this.#locationOf(item));
  }

  #storesNow(): ReadonlySet<string> {
    const stores = new Set<string>();
    for (const item of this.#documents.with()) stores.add(this.#locationOf(item).store);
    return stores;
  }

  #locationOf(item: number): Location {
    return this.#source.locationOf(this.#documents.sourceAt(item));
  }
}

/** What this migration writes and removes. The answers stay the same, whatever becomes of its documents. */
export function usesOf(
  { destination, intent, source }: Pick<PlanInputs, 'destination' | 'intent' | 'source'>,
  documents: Documents,
): Uses {
  const writesSources = intent.sync !== undefined && intent.sync.authority !== 'Source';
  for (const item of documents.with()) {
    const isRemoved = removesSource(intent.policyOf(documents.nameAt(item)));
    documents.mark(item, isRemoved ? MARKS.written | MARKS.removed : MARKS.written);
  }
  const isMarked = (item: number | undefined, mark: number): boolean =>
    item !== undefined && documents.is(item, mark);
  const to = placesAt(destination, {
    addresses: addressesOf(documents, MARKS.written, (item) => documents.destinationAt(item)),
    has: (address) => isMarked(documents.findDestination(address), MARKS.written),
  });
  const from = (mark: number): Places =>
    placesAt(source, {
      addresses: addressesOf(documents, mark, (item) => documents.sourceAt(item)),
      has: (address) => isMarked(documents.findSource(address), mark),
    });
  const writes = writesSources ? [to, from(MARKS.written)] : [to];
  return {
    removes: from(MARKS.removed),
    writes: { has: (location) => writes.some((places) => places.has(location)) },
  };
}

/** Documents by an address of theirs. */
interface Addressed {
  readonly addresses: () => Iterable<Address>;
  readonly has: (address: Address) => boolean;
}

function addressesOf(
  documents: Documents,
  mark: number,
  addressOf: (item: number) => Address,
): Addressed['addresses'] {
  return function* addresses() {
    for (const item of documents.with(mark)) yield addressOf(item);
  };
}

/** The locations of these documents as they are now: the driver can be closed later. */
function placesAt(reader: Pick<Reader, 'locationOf'>, { addresses, has }: Addressed): Places {
  const root = rootOf(reader, addresses());
  if (root === 'several') {
    const keys = new Set<string>();
    for (const address of addresses()) keys.add(keyOf(reader.locationOf(address)));
    return { has: (location) => keys.has(keyOf(location)) };
  }
  if (root === 'none') return { has: () => false };
  const { path, store } = root;
  return {
    has: (location) =>
      location.store === store && location.path.startsWith(path) && has(location.path.slice(path.length)),
  };
}

/** What the store adds to each address; `several` if that differs, or is not before it. */
function rootOf(
  reader: Pick<Reader, 'locationOf'>,
  addresses: Iterable<Address>,
): Location | 'none' | 'several' {
  let root: Location | 'none' = 'none';
  for (const address of addresses) {
    const { path, store } = reader.locationOf(address);
    if (root === 'none') root = { store, path: path.slice(0, Math.max(0, path.length - address.length)) };
    if (store !== root.store || path !== root.path + address) return 'several';
  }
  return root;
}
