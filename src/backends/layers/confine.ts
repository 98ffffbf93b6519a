import type { Driver } from '../driver.ts';
import { layered, type LayeredDriver } from '../layer.ts';

/**
 * One folder of a tree store as a separate store: its user can name nothing outside. The folder is the prefix of every
 * address, and the driver below refuses an address that would leave it. All folders share that driver, its connections
 * and its login; disposing of one folder does not close the driver.
 *
 * `folder`: one or more segments, without a leading or trailing slash.
 */
export function confine(driver: Driver, folder: string): LayeredDriver {
  const prefix = `${folder}/`;
  return layered(driver, {
    mapping: {
      inward: (address) => prefix + address,
      outward: (address) => address.slice(prefix.length),
      root: folder,
    },
  });
}
