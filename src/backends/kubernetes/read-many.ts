import type { Address } from '#src/core/document.ts';
import { hasCode } from '#src/errors.ts';
import type { ReadOutcome } from '../driver.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import type { SecretApi } from './api.ts';
import { toDocument, wireSize } from './codec.ts';
import type { Page, WireSecret } from './codec.ts';
import { REFUSED_TYPES } from './refusals.ts';

/** Up to here single reads are cheaper than pages that may hold a whole namespace. */
const FEW = 10;
const READS_AT_ONCE = 8;

/** What a page of Secrets may weigh. */
const TARGET_PAGE_BYTES = 2 * 1024 * 1024;
const FIRST_PAGE = 40;
const LARGEST_PAGE = 500;
/** Even Secrets of the largest size fit the transport's reply limit in this number. */
const SAFE_PAGE = 16;

/** Selects every Secret except those of the types that are never moved: their values need not be loaded. */
export const WITHOUT_REFUSED_TYPES = REFUSED_TYPES.map((type) => `type!=${type}`).join(',');

/** Reads wanted Secrets: single reads when they are few, else pages of values. */
export async function* readManySecrets(
  api: SecretApi,
  addresses: readonly Address[],
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  const wanted = new Set(addresses);
  if (wanted.size <= FEW) yield* readSingly(api, wanted, signal);
  else yield* readByPages(api, wanted, signal);
}

/** A Secret that cannot be read (denied by name) fails alone; a server that is gone fails the iteration. */
async function* readSingly(
  api: SecretApi,
  wanted: ReadonlySet<Address>,
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  yield* mapConcurrently(wanted, READS_AT_ONCE, async (address): Promise<ReadOutcome> => {
    try {
      const secret = await api.get(address, signal);
      return { address, result: secret === undefined ? { state: 'absent' } : presentOf(secret) };
    } catch (error) {
      if (signal.aborted || !isOfOneAddress(error)) throw error;
      return { address, error };
    }
  });
}

function isOfOneAddress(error: unknown): boolean {
  return hasCode(error, 'AUTH_DENIED') || hasCode(error, 'REPLY_INVALID');
}

/**
 * First the values, without the types that are never moved; then, for names that were not among them, the names of all
 * Secrets: one that is there is read singly (such a type, or just created), one that is not is absent.
 */
async function* readByPages(
  api: SecretApi,
  wanted: ReadonlySet<Address>,
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  const missing = new Set(wanted);
  for await (const secret of valuePages(api, signal)) {
    if (missing.delete(secret.metadata.name)) {
      yield { address: secret.metadata.name, result: presentOf(secret) };
    }
    if (missing.size === 0) return;
  }
  const there = new Set<Address>();
  for await (const name of namePages(api, signal)) if (missing.has(name)) there.add(name);
  yield* readSingly(api, there, signal);
  for (const address of missing) if (!there.has(address)) yield { address, result: { state: 'absent' } };
}

/** While one page is worked on, the next one is under way: the destination need not wait for the source. */
async function* valuePages(api: SecretApi, signal: AbortSignal): AsyncGenerator<WireSecret> {
  const fetch = async (limit: number, next?: string): Promise<Page<WireSecret>> =>
    onePage(api, { limit, next, fieldSelector: WITHOUT_REFUSED_TYPES }, signal);
  let ahead: Promise<Page<WireSecret>> | undefined = fetch(FIRST_PAGE);
  try {
    while (ahead !== undefined) {
      const { items, next }: Page<WireSecret> = await ahead;
      ahead = next === undefined ? undefined : fetch(nextLimit(items), next);
      ahead?.catch(() => undefined); // Thrown when its turn comes.
      yield* items;
    }
  } finally {
    await ahead?.catch(() => undefined); // Nothing outlives the iterator.
  }
}

/** A page above the transport's limit is asked for again with fewer Secrets. */
async function onePage(
  api: SecretApi,
  query: Parameters<SecretApi['page']>[0],
  signal: AbortSignal,
): Promise<Page<WireSecret>> {
  try {
    return await api.page(query, signal);
  } catch (thrown) {
    if (query.limit <= SAFE_PAGE || !hasCode(thrown, 'REPLY_INVALID')) throw thrown;
    return api.page({ ...query, limit: SAFE_PAGE }, signal);
  }
}

/** As many Secrets of the size just seen as weigh the target, but never more than four times this page. */
function nextLimit(items: readonly WireSecret[]): number {
  if (items.length === 0) return FIRST_PAGE;
  const average = items.reduce((sum, item) => sum + wireSize(item), 0) / items.length;
  const fitting = Math.floor(TARGET_PAGE_BYTES / average);
  return Math.max(1, Math.min(fitting, LARGEST_PAGE, items.length * 4));
}

async function* namePages(api: SecretApi, signal: AbortSignal): AsyncGenerator<Address> {
  let next: string | undefined;
  do {
    const page = await api.metadataPage({ limit: LARGEST_PAGE, next }, signal);
    for (const metadata of page.items) yield metadata.name;
    next = page.next;
  } while (next !== undefined);
}

function presentOf(secret: WireSecret) {
  return { state: 'present', document: toDocument(secret) } as const;
}
