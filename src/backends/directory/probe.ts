import { release } from 'node:os';
import type { Capability } from '../capabilities.ts';
import type { Probe } from '../driver.ts';
import type { Folder } from './folder.ts';
import { identityOf } from './opened.ts';

/**
 * `ConditionalWrite` is true of a file system although it has no request for it: a name is given exclusively (link), and
 * what is to go is first taken, which gets exactly one incarnation, and compared (changes.ts). What somebody else writes
 * in between is found, not lost. Earlier versions it has none.
 */
const CAPABILITIES: readonly Capability[] = ['ConditionalWrite'];

/** There is no server to ask: opening the folder has checked everything that can be checked without writing. */
export async function probeFolder(folder: Folder): Promise<Probe> {
  return {
    server: { product: 'Linux file system', version: release() },
    identity: identityOf(await folder.stat()),
    capabilities: CAPABILITIES,
  };
}
