import type { Address } from '#src/core/document.ts';
import { errorOf, isBackendWide } from '#src/errors.ts';
import type { ReadOutcome } from '../driver.ts';
import type { ReadScope } from '../hints.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import type { SecretApi, Selectors } from './api.ts';
import { toDocument, wireSize } from './codec.ts';
import type { Page, WireSecret } from './codec.ts';
import { selectorsOf, withoutNames } from './selectors.ts';

/** Up to this number, single reads are cheaper than pages. */
const FEW = 10;
/** So many other names for each wanted one are listed; beyond that, to read by name is fewer bytes. */
const MOST_OTHERS = 2;
const READS_AT_ONCE = 8;

/** Target size of a page of Secrets. */
const TARGET_PAGE_BYTES = 2 * 1024 * 1024;
const FIRST_PAGE = 40;
const LARGEST_PAGE = 500;

/**
 * Reads few Secrets by name, and many by pages of values, where these have the values of nobody else: the server leaves out what
 * the scope leaves out and the names that are not wanted. Are there too many of those, reading by name is fewer bytes.
 */
export async function* readManySecrets(
  api: SecretApi,
  addresses: readonly Address[],
  { signal, ...scope }: ReadScope & { readonly signal: AbortSignal },
): AsyncGenerator<ReadOutcome> {
  const wanted = new Set(addresses);
  const isFew = wanted.size <= FEW || !(await api.mayList(signal));
  const there = isFew ? 'tooMany' : await lookAround(api, wanted, { ...scope, signal });
  if (there === 'tooMany') yield* readSingly(api, wanted, signal);
  else yield* readByPages(api, { ...there, wanted }, signal);
}

/** What else is where the wanted Secrets are. */
interface Surroundings {
  /** A list with these has the wanted Secrets and no other; undefined: none can be made. */
  readonly pages: Selectors | undefined;
  /** The wanted names that such a list shows. */
  readonly seen: ReadonlySet<Address>;
}

/** `tooMany`: there are so many other names that reading each wanted one is cheaper than to list them all. */
async function lookAround(
  api: SecretApi,
  wanted: ReadonlySet<Address>,
  { signal, ...scope }: ReadScope & { readonly signal: AbortSignal },
): Promise<Surroundings | 'tooMany'> {
  const selectors = selectorsOf(scope);
  const others = (scope.listed ?? 0) - wanted.size;
  const known = [...new Set(scope.others)].filter((name) => !wanted.has(name));
  if (others === known.length) return { pages: withoutNames(selectors, known), seen: wanted };
  if (others > MOST_OTHERS * wanted.size) return 'tooMany';
  const found = await namesAmong(api, { wanted, selectors }, signal);
  return found === 'tooMany' ? found : { pages: withoutNames(selectors, found.others), seen: found.seen };
}

/**
 * The wanted names in a list, and the others in it. `tooMany` others, or a list that the server fails because of one Secret: the
 * wanted ones are read by name then.
 */
async function namesAmong(
  api: SecretApi,
  { wanted, selectors }: { readonly wanted: ReadonlySet<Address>; readonly selectors: Selectors },
  signal: AbortSignal,
): Promise<{ readonly seen: ReadonlySet<Address>; readonly others: readonly Address[] } | 'tooMany'> {
  const seen = new Set<Address>();
  const others: Address[] = [];
  const most = MOST_OTHERS * wanted.size;
  try {
    // A page that is not larger than what can still be of use.
    for await (const { invalid, items } of api.metadataPages(selectors, signal, most + wanted.size + 1)) {
      const names = [...items.map((each) => each.name), ...invalid.keys()];
      for (const name of names.filter((each) => wanted.has(each))) seen.add(name);
      others.push(...names.filter((each) => !wanted.has(each)));
      if (others.length > most) return 'tooMany';
    }
    return { seen, others };
  } catch (failure) {
    if (signal.aborted || !canBeOfOneSecret(failure)) throw failure;
    return 'tooMany';
  }
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

/** Reads what was seen by pages, if there can be some, else by name. What was not seen can exist: it is looked for. */
async function* readByPages(
  api: SecretApi,
  { pages, seen, wanted }: Surroundings & { readonly wanted: ReadonlySet<Address> },
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  const missing = new Set(wanted);
  const arePaged = pages !== undefined && seen.size > FEW;
  const values = arePaged ? valuesIn(api, pages, signal) : readSingly(api, seen, signal);
  try {
    for await (const outcome of values) {
      if (missing.delete(outcome.address)) yield outcome;
      if (missing.size === 0) return;
    }
  } catch (failure) {
    if (signal.aborted || !arePaged || !canBeOfOneSecret(failure)) throw failure;
    yield* readSingly(api, missing, signal);
    return;
  }
  yield* readUnseen(api, missing, signal);
}

/** Names that no page showed: of another type or label by now, created just now, or absent, which one list tells of many. */
async function* readUnseen(
  api: SecretApi,
  unseen: ReadonlySet<Address>,
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  if (unseen.size <= FEW) {
    yield* readSingly(api, unseen, signal);
    return;
  }
  const found = await namesAmong(api, { wanted: unseen, selectors: {} }, signal);
  if (found !== 'tooMany') {
    for (const address of unseen)
      if (!found.seen.has(address)) yield { address, result: { state: 'absent' } };
  }
  yield* readSingly(api, found === 'tooMany' ? unseen : found.seen, signal);
}

async function* valuesIn(
  api: SecretApi,
  selectors: Selectors,
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  for await (const { items, invalid } of valuePages(api, selectors, signal)) {
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
async function* valuePages(
  api: SecretApi,
  selectors: Selectors,
  signal: AbortSignal,
): AsyncGenerator<Page<WireSecret>> {
  const fitting = new FittingPage(LARGEST_PAGE, FIRST_PAGE);
  const fetch = async (next?: string): Promise<Page<WireSecret>> =>
    fitting.request(async (limit) => api.page({ ...selectors, limit, next }, signal));
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

function presentOf(secret: WireSecret) {
  return { state: 'present', document: toDocument(secret) } as const;
}
