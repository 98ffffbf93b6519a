import type { Address, ReadResult, Version } from '#src/core/document.ts';
import { repeatable } from '#src/core/repeatable.ts';
import { distinctlyMapped, type Addresses } from './addresses.ts';
import type { ReadOutcome } from './driver.ts';
import type { Refusal } from './refusal.ts';
import type { Listed, ListedVersion, ListQuery } from './listing.ts';

/** Translates between addresses above a layer and addresses below it. */
export interface AddressMapping {
  readonly inward: (address: Address) => Address;
  readonly outward: (address: Address) => Address;
  /** The folder below the layer that the folder '' stands for. */
  readonly root: Address;
}

/** Translates everything that contains an address. Without a mapping it returns the same object. */
export class AddressTranslator {
  readonly #mapping: AddressMapping | undefined;

  constructor(mapping: AddressMapping | undefined) {
    this.#mapping = mapping;
  }

  in(address: Address): Address {
    return this.#mapping === undefined ? address : this.#mapping.inward(address);
  }

  allIn(addresses: Addresses): Addresses {
    return this.#mapping === undefined ? addresses : distinctlyMapped(addresses, this.#mapping.inward);
  }

  /** As often as somebody iterates. */
  allPlacedIn<T extends { readonly address: Address }>(items: Iterable<T>): Iterable<T> {
    if (this.#mapping === undefined) return items;
    const place = (item: T): T => this.placedIn(item);
    return repeatable(function* placed() {
      for (const item of items) yield place(item);
    });
  }

  placedIn<T extends { readonly address: Address }>(item: T): T {
    return this.#mapping === undefined ? item : { ...item, address: this.#mapping.inward(item.address) };
  }

  /** The empty address names the root folder, not a document. */
  queryIn(query: ListQuery): ListQuery {
    if (this.#mapping === undefined) return query;
    const { inward, outward, root } = this.#mapping;
    const { folder, onVersion, skips, wants, ...rest } = query;
    return {
      ...rest,
      folder: folder === '' ? root : inward(folder),
      ...(skips && { skips: (below: Address) => skips(outward(below)) }),
      ...(onVersion && {
        onVersion: (address: Address, version: Version) => onVersion(outward(address), version),
      }),
      ...(wants && { wants: (address: Address) => wants(outward(address)) }),
    };
  }

  out(address: Address): Address {
    return this.#mapping === undefined ? address : this.#mapping.outward(address);
  }

  listedOut<T extends Listed | ListedVersion>(listed: T): T {
    if (this.#mapping === undefined) return listed;
    return { ...listed, address: this.out(listed.address) };
  }

  resultOut(result: ReadResult): ReadResult {
    if (this.#mapping === undefined || result.state !== 'present') return result;
    const { document } = result;
    return { state: 'present', document: { ...document, address: this.out(document.address) } };
  }

  outcomeOut(outcome: ReadOutcome): ReadOutcome {
    if (this.#mapping === undefined) return outcome;
    const address = this.out(outcome.address);
    return 'error' in outcome ? { ...outcome, address } : { address, result: this.resultOut(outcome.result) };
  }

  refusalsOut(refusals: ReadonlyMap<Address, Refusal>): ReadonlyMap<Address, Refusal> {
    if (this.#mapping === undefined) return refusals;
    return new Map([...refusals].map(([address, refusal]) => [this.out(address), refusal]));
  }
}
