import type { Address } from '#src/core/document.ts';
import { errorOf, isBackendWide } from '#src/errors.ts';
import type { ReadOutcome } from '../driver.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import type { SecretApi } from './api.ts';
import { toDocument, wireSize } from './codec.ts';
import type { Page, WireSecret } from './codec.ts';
import { REFUSED_TYPES } from './refusals.ts';

/** Up to this number, single reads are cheaper than pages, which may cover a whole namespace. */
const FEW = 10;
const READS_AT_ONCE = 8;

/** Target size of a page of Secrets. */
const TARGET_PAGE_BYTES = 2 * 1024 * 1024;
const FIRST_PAGE = 40;
const LARGEST_PAGE = 500;

/** Excludes Secrets of the types that are never moved: their values need not be loaded. */
export const WITHOUT_REFUSED_TYPES = REFUSED_TYPES.map((type) => `type!=${type}`).join(',');

/** Reads few Secrets one by one, and many by pages of values if it may list them. */
export async function* readManySecrets(
  api: SecretApi,
  addresses: readonly Address[],
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  const wanted = new Set(addresses);
  if (wanted.size <= FEW || !(await api.mayList(signal))) yield* readSingly(api, wanted, signal);
  else yield* readByPages(api, wanted, signal);
}

/** A Secret that cannot be read (denied by name, or not readable for the server) yields its error; a server that is gone
 * fails the iteration. */
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
      if (signal.aborted || isBackendWide(error)) throw error;
      return { address, error };
    }
  });
}

/**
 * First reads the values, without the types that are never moved. For names that were not found, then lists the names
 * of all Secrets: reads a name that exists one by one (such a type, or just created) and reports the others as absent. If the server fails
 * a page, reads what is left one by one.
 */
async function* readByPages(
  api: SecretApi,
  wanted: ReadonlySet<Address>,
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  const missing = new Set(wanted);
  try {
    for await (const outcome of valuesIn(api, signal)) {
      if (missing.delete(outcome.address)) yield outcome;
      if (missing.size === 0) return;
    }
    const existing = await namesIn(api, signal);
    for (const address of [...missing].filter((each) => !existing.has(each))) {
      missing.delete(address);
      yield { address, result: { state: 'absent' } };
    }
  } catch (failure) {
    if (signal.aborted || !canBeOfOneSecret(failure)) throw failure;
  }
  yield* readSingly(api, missing, signal);
}

async function* valuesIn(api: SecretApi, signal: AbortSignal): AsyncGenerator<ReadOutcome> {
  for await (const { items, invalid } of valuePages(api, signal)) {
    for (const secret of items) yield { address: secret.metadata.name, result: presentOf(secret) };
    for (const [address, error] of invalid) yield { address, error };
  }
}

/** The API server fails a whole page for one Secret that it cannot decrypt or decode. */
function canBeOfOneSecret(failure: unknown): boolean {
  const { code } = errorOf(failure);
  return code === 'SERVER_ERROR' || code === 'REPLY_INVALID' || code === 'REPLY_TOO_LARGE';
}

/** Requests the next page while the caller works on this one, so that the destination does not wait for the source. */
async function* valuePages(api: SecretApi, signal: AbortSignal): AsyncGenerator<Page<WireSecret>> {
  const fitting = new FittingPage(LARGEST_PAGE, FIRST_PAGE);
  const fetch = async (next?: string): Promise<Page<WireSecret>> =>
    fitting.request(async (limit) => api.page({ limit, next, fieldSelector: WITHOUT_REFUSED_TYPES }, signal));
  let ahead: Promise<Page<WireSecret>> | undefined = fetch();
  try {
    while (ahead !== undefined) {
      const page: Page<WireSecret> = await ahead;
      fitting.aim(nextLimit(page.items));
      ahead = page.next === undefined ? undefined : fetch(page.next);
      ahead?.catch(() => undefined); // Thrown when it is awaited.
      yield page;
    }
  } finally {
    await ahead?.catch(() => undefined); // No request outlives the iterator.
  }
}

/** The number of Secrets that reaches the target size, by the average of this page; at most four times this page. */
function nextLimit(items: readonly WireSecret[]): number {
  if (items.length === 0) return FIRST_PAGE;
  const average = items.reduce((sum, item) => sum + wireSize(item), 0) / items.length;
  const fitting = Math.floor(TARGET_PAGE_BYTES / average);
  return Math.min(fitting, items.length * 4);
}

async function namesIn(api: SecretApi, signal: AbortSignal): Promise<ReadonlySet<Address>> {
  const names = new Set<Address>();
  for await (const page of api.metadataPages({}, signal)) {
    for (const { name } of page.items) names.add(name);
    for (const name of page.invalid.keys()) names.add(name);
  }
  return names;
}

function presentOf(secret: WireSecret) {
  return { state: 'present', document: toDocument(secret) } as const;
}
