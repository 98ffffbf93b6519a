import type { Address } from './document.ts';

/** The folder that holds the document; '' for the root, and for every single name. */
export function folderOf(address: Address): Address {
  return address.slice(0, Math.max(0, address.lastIndexOf('/')));
}

/** True for a folder that contains none of these addresses, at any depth. */
export function allBut(addresses: Iterable<Address>): (folder: Address) => boolean {
  const folders = new Set<Address>();
  for (const address of addresses) {
    for (let end = address.lastIndexOf('/'); end > 0; end = address.lastIndexOf('/', end - 1))
      folders.add(address.slice(0, end));
  }
  return (folder) => !folders.has(folder);
}
