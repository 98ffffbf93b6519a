import type { Address } from '#src/core/document.ts';

/** Addresses that are made while a store iterates, which it does once: a caller with many keeps no list of them. */
export interface DistinctAddresses extends Iterable<Address> {
  readonly areDistinct: true;
}

/** What many documents are asked for by. In a list, an address can occur twice. */
export type Addresses = readonly Address[] | DistinctAddresses;

export function distinct(addresses: () => Iterator<Address>): DistinctAddresses {
  return { [Symbol.iterator]: addresses, areDistinct: true };
}

/** Each address once. */
export function distinctIn(addresses: Addresses): Iterable<Address> {
  return 'areDistinct' in addresses ? addresses : new Set(addresses);
}

/** Each address once, as it is below a layer that gives no two the same. */
export function distinctlyMapped(addresses: Addresses, map: (address: Address) => Address): Addresses {
  if (!('areDistinct' in addresses)) return addresses.map(map);
  return distinct(function* mapped() {
    for (const address of addresses) yield map(address);
  });
}
