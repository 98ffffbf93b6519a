import type { Address } from '#src/core/document.ts';
import { hasCode } from '#src/errors.ts';
import type { Refusal } from '../refusal.ts';
import type { KvMount } from './kv.ts';
import type { MountConfig } from './mount-config.ts';

/** What both servers keep if neither the path nor the mount says otherwise. */
const DEFAULT_MAX_VERSIONS = 10;

/**
 * How many versions of a path the server keeps: the larger of the two settings, so a path cannot keep fewer than a mount
 * that names a number (measured on both servers; the documentation says that the path wins).
 */
export function keptVersions(ofPath: number, ofMount: number): number {
  const kept = Math.max(ofPath, ofMount);
  return kept === 0 ? DEFAULT_MAX_VERSIONS : kept;
}

/** Why the server would not keep the current version of this path if it got another one; undefined if it would. */
export async function overwriteRefusalOf(
  kv: KvMount,
  { address, config }: { readonly address: Address; readonly config: MountConfig | undefined },
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  try {
    const found = await kv.metadata.read(address, signal);
    const ofPath = found.state === 'absent' ? 0 : found.maxVersions;
    const kept = config === undefined ? 1 : keptVersions(ofPath, config.maxVersions);
    return kept > 1 ? undefined : { reason: 'CapabilityMissing', message: KEEPS_ONE };
  } catch (failure) {
    if (!hasCode(failure, 'AUTH_DENIED')) throw failure;
    return { reason: 'CapabilityMissing', message: KEEPS_UNKNOWN };
  }
}

const KEEPS_ONE =
  'An overwrite would destroy the version there: the server keeps one version of this path. Set max_versions of the path or the mount to 2 or more, or use conflictPolicy Fail or KeepDestination.';

const KEEPS_UNKNOWN =
  'An overwrite could destroy the version there: the metadata of this path, with max_versions, cannot be read. Grant read on it, or use conflictPolicy Fail or KeepDestination.';
