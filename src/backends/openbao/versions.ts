import type { Address } from '#src/core/document.ts';
import { hasCode } from '#src/errors.ts';
import { mapConcurrently, type Width } from '#src/io/map-concurrently.ts';
import type { Refusal } from '../refusal.ts';
import type { ListedVersion, ListQuery, VersionState } from '../listing.ts';
import { isProblem, problemAt } from '../listing-problem.ts';
import type { KvMount } from './kv.ts';
import type { DetailedPage, KvMetadataTree, VersionsOfPath } from './kv-metadata.ts';
import { walkTree, type Named, type PageOfFolder } from './listing.ts';
import { versionOf } from './writer.ts';

/*
 * The versions of all documents of a folder. OpenBao tells them with the names (`LIST detailed-metadata/<folder>`): one
 * request for 1,000 documents. Where the server has no such listing, or the policy does not allow it: the names, then the
 * metadata of each that is wanted.
 */

/** The server rounds the time of a reply down to a second. */
const RESOLUTION_MS = 1_000;
/** Names of a page with the metadata of each. */
const DETAILED_PAGE = 1_000;
/** Documents whose metadata are read together. */
const BATCH = 1_000;

export interface VersionSource {
  readonly kv: Pick<KvMount, 'hasPages' | 'listPage'> & {
    readonly metadata: Pick<KvMetadataTree, 'listDetailed' | 'read'>;
  };
  readonly refusalOf: (address: Address) => Refusal | undefined;
  /** Concurrent reads. */
  readonly width: Width;
}

/** Undefined: its metadata must be read. */
interface Told extends Named {
  readonly state: VersionState | undefined;
}

/** Lists versions, and remembers which folders the server tells no versions of, so that not every call asks again. */
export class VersionListing {
  #isProven = false;
  #isMissing = false;
  readonly #denied = new Set<Address>();

  /** Asks again: the policy or the server can be another one. */
  forget(): void {
    this.#isProven = false;
    this.#isMissing = false;
    this.#denied.clear();
  }

  /** Throws, and yields problems, as `listTree`. */
  async *list(source: VersionSource, query: ListQuery, signal: AbortSignal): AsyncGenerator<ListedVersion> {
    const { kv, refusalOf } = source;
    const pageOf = async (page: PageOfFolder, inner: AbortSignal): Promise<readonly Told[]> =>
      this.#pageOf(kv, page, inner);
    let untold: Address[] = [];
    const listable = {
      hasPages: kv.hasPages,
      pageOf,
      largestPage: DETAILED_PAGE,
      refusalOf,
      width: source.width,
    };
    for await (const each of walkTree(listable, query, signal)) {
      if (isProblem(each)) yield each;
      else if (each.item.state !== undefined) yield { address: each.address, ...each.item.state };
      else if (query.wants?.(each.address) !== false && untold.push(each.address) === BATCH) {
        yield* readStates(source, untold, signal);
        untold = [];
      }
    }
    yield* readStates(source, untold, signal);
  }

  async #pageOf(kv: VersionSource['kv'], page: PageOfFolder, signal: AbortSignal): Promise<readonly Told[]> {
    const { folder, after, limit } = page;
    const found =
      limit === undefined || this.#isMissing || this.#denied.has(folder)
        ? undefined
        : await detailedPage(kv, { folder, after, limit }, signal);
    if (typeof found === 'object' && this.#isCertain(found, after)) {
      return found.entries.map(({ name, metadata }) => ({
        name,
        state: stateIn(metadata, found.serverTime),
      }));
    }
    const names = await kv.listPage(folder, page, signal);
    // Only now: a token without any right says nothing of the server.
    if (found === 'missing') this.#isMissing = true;
    if (found === 'denied') this.#denied.add(folder);
    return names.map((name) => ({ name, state: undefined }));
  }

  /** A server that does not know the path could call it empty: only names prove that it does. */
  #isCertain({ entries }: DetailedPage, after: string): boolean {
    this.#isProven ||= entries.length > 0;
    return this.#isProven || after !== '';
  }
}

/** Undefined if the metadata of one path does not fit into a reply: its own read says so, and the listing goes on. */
async function detailedPage(
  { metadata }: VersionSource['kv'],
  page: PageOfFolder & { readonly limit: number },
  signal: AbortSignal,
): Promise<DetailedPage | 'missing' | 'denied' | undefined> {
  try {
    return await metadata.listDetailed(page, signal);
  } catch (failure) {
    if (page.limit === 1 && hasCode(failure, 'REPLY_TOO_LARGE')) return undefined;
    throw failure;
  }
}

async function* readStates(
  { kv, width }: VersionSource,
  addresses: readonly Address[],
  signal: AbortSignal,
): AsyncGenerator<ListedVersion> {
  yield* mapConcurrently(addresses, width, async (address): Promise<ListedVersion> => {
    try {
      const found = await kv.metadata.read(address, signal);
      if (found.state === 'absent') return { address, state: 'absent' };
      return { address, ...stateIn(found, found.serverTime) };
    } catch (failure) {
      // The document may be readable without its metadata.
      if (hasCode(failure, 'AUTH_DENIED')) return { address, state: 'unknown' };
      return problemAt(address, failure, signal);
    }
  });
}

/**
 * What a read of the current version would find. The server hides a version from its deletion time on, by its own clock,
 * which a reply tells in whole seconds: within that second, and without a time, only a read can tell.
 */
export function stateIn(metadata: VersionsOfPath | undefined, serverTime: number | undefined): VersionState {
  if (metadata === undefined) return { state: 'unknown' };
  const { currentVersion, versions } = metadata;
  if (currentVersion === 0) return { state: 'absent' };
  const current = versions.find(({ number }) => number === currentVersion);
  if (current === undefined) return { state: 'unknown' };
  const { createdTime, deletionTime, isDestroyed } = current;
  const version = versionOf({ version: currentVersion, createdTime });
  if (isDestroyed) return { state: 'deleted', version };
  if (deletionTime === undefined) return { state: 'present', version };
  const leftMs = Date.parse(deletionTime) - (serverTime ?? Number.NaN);
  if (leftMs < 0) return { state: 'deleted', version };
  return leftMs >= RESOLUTION_MS ? { state: 'present', version } : { state: 'unknown' };
}
