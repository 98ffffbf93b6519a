import { release } from 'node:os';
import type { Capability } from '../capabilities.ts';
import type { Probe } from '../driver.ts';
import type { Folder } from './folder.ts';
import { identityOf } from './opened.ts';

/**
 * A file system has no conditional write, but changes.ts has the same effect: `link` fails if the name exists, and a
 * document is claimed and compared before it is replaced or removed. A change by another writer in between is detected,
 * not lost. There are no earlier versions.
 */
const CAPABILITIES: readonly Capability[] = ['ConditionalWrite'];

/** There is no server to ask: opening the folder already checked all that can be checked without a write. */
export async function probeFolder(folder: Folder): Promise<Probe> {
  return {
    server: { product: 'Linux file system', version: release() },
    identity: identityOf(await folder.stat()),
    capabilities: CAPABILITIES,
  };
}
