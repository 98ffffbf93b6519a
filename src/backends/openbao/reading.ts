import type { Address, Attributes, ReadResult, StoredDocument } from '#src/core/document.ts';
import { hasCode } from '#src/errors.ts';
import { decodeFields } from './codec.ts';
import type { DecodedFields } from './codec.ts';
import type { KvMount, VersionInfo } from './kv.ts';
import { hasExpired, lifetimeOf } from './lifetime.ts';
import { pendingLifetime, VERSION_MARKERS } from './markers.ts';
import { pendingIn } from './pending.ts';
import type { Pending } from './pending.ts';
import { versionOf } from './writer.ts';

/*
 * What a read found, and whether a write that was cut off has left something there:
 *
 *   keyferry-pending names the version that was read   the version can be of that write: unfinished
 *   … an earlier version, with its lifetime            the version expires because of that write: unfinished
 *   … any other version                                the version is as another client wrote it: prepared
 */

/** Requests: 1, or 2 for a document that expires. */
export async function readStored(
  kv: KvMount,
  { address, revision }: { readonly address: Address; readonly revision: string | undefined },
  signal: AbortSignal,
): Promise<ReadResult> {
  const found = await kv.read(address, signal, revision);
  if (found.state === 'absent') return found;
  const version = versionOf(found);
  const { createdTime, customMetadata, deletionTime } = found;
  const pending = pendingIn(customMetadata, found.version, address);
  if (found.state === 'deleted') {
    const expired = hasExpired(createdTime, deletionTime) ? { expired: true as const } : {};
    return { state: 'deleted', version, ...expired, ...(pending === undefined ? {} : { prepared: true }) };
  }
  const { fields, attributes, isForeign, isMarked } = decoded(found, address, pending);
  const expires = deletionTime !== undefined && revision === undefined;
  const lifetime =
    pendingLifetime(customMetadata, address) ?? (expires ? await readLifetime(kv, address, signal) : 0);
  const document: StoredDocument = {
    address,
    fields,
    attributes: { ...attributes, ...expiryOf(deletionTime, lifetime) },
    version,
    ...(isMarked ? { isMarked } : {}),
    ...leftIn(found, pending, isForeign),
  };
  return { state: 'present', document };
}

function expiryOf(
  deletionTime: string | undefined,
  lifetime: number,
): Pick<Attributes, 'expiresAt' | 'lifetime'> {
  return {
    ...(deletionTime === undefined ? {} : { expiresAt: deletionTime }),
    ...(lifetime === 0 ? {} : { lifetime }),
  };
}

type Found = VersionInfo & { readonly data: object };

/**
 * A version that its pending marks do not fit was written by another client. It is read without them: the next step removes
 * them.
 */
function decoded(
  found: Found,
  target: Address,
  pending: Pending | undefined,
): DecodedFields & { readonly isForeign: boolean } {
  const { customMetadata, data, version } = found;
  try {
    return { ...decodeFields({ data, customMetadata, version, target }), isForeign: false };
  } catch (failure) {
    if (pending?.version !== version || !hasCode(failure, 'ENCODING_CORRUPT')) throw failure;
    const unmarked = new Map([...customMetadata].filter(([name]) => !VERSION_MARKERS.includes(name)));
    return { ...decodeFields({ data, customMetadata: unmarked, version, target }), isForeign: true };
  }
}

function leftIn(
  { createdTime, deletionTime, version }: VersionInfo,
  pending: Pending | undefined,
  isForeign: boolean,
): Pick<StoredDocument, 'unfinished' | 'prepared'> {
  if (pending === undefined) return {};
  const { lifetime } = pending;
  const tookLifetime =
    version > pending.version &&
    lifetime !== undefined &&
    lifetimeOf(createdTime, deletionTime) === lifetime.set;
  const isUnfinished = (version === pending.version && !isForeign) || tookLifetime;
  return isUnfinished ? { unfinished: true } : { prepared: true };
}

/** The lifetime that the path sets for its versions, in seconds; 0 also if its metadata cannot be read. */
async function readLifetime(kv: KvMount, address: Address, signal: AbortSignal): Promise<number> {
  try {
    const found = await kv.metadata.read(address, signal);
    return found.state === 'present' ? found.lifetime : 0;
  } catch (thrown) {
    if (hasCode(thrown, 'AUTH_DENIED')) return 0;
    throw thrown;
  }
}
