import type { ReservedPrefix } from '../reserved-prefix.ts';
import type { Address } from '#src/core/document.ts';
import type { Driver } from '../driver.ts';
import { gate } from './gate.ts';

/**
 * The driver without the names that are reserved for other namespaces: they are invisible and refused. Returns the same
 * driver if there are none.
 */
export function withoutReserved(
  driver: Driver,
  reserved: readonly ReservedPrefix[],
  namespace: string,
): Driver {
  const prefixes = reserved
    .filter(({ allowNamespaces }) => !allowNamespaces.includes(namespace))
    .map(({ prefix }) => prefix);
  if (prefixes.length === 0) return driver;
  return gate(driver, {
    code: 'NAME_RESERVED',
    refusalOf: (address) => {
      const prefix = prefixes.find((candidate) => isUnder(candidate, address));
      if (prefix === undefined) return undefined;
      return {
        reason: 'ReservedName',
        message: `Names that start with ${prefix} are reserved for system use.`,
      };
    },
  });
}

/** True if the address, or the part after any of its slashes, starts with the prefix. */
function isUnder(prefix: string, address: Address): boolean {
  return `/${address}`.includes(`/${prefix}`);
}
