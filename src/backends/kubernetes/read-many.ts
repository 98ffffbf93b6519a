import type { Address } from '#src/core/document.ts';
import type { NameTable } from '#src/core/name-table.ts';
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
/** A selector without more names than this is too long for a URL in any case. */
const MOST_LEFT_OUT = 400;

/** Marks of a wanted name: it was not yielded yet; a list showed it. */
const MISSING = 1;
const SEEN = 2;

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
  names: NameTable,
  { signal, ...scope }: ReadScope & { readonly signal: AbortSignal },
): AsyncGenerator<ReadOutcome> {
  const wanted = new Wanted(names);
  const isFew = wanted.size <= FEW || !(await api.mayList(signal));
  const there = isFew ? 'tooMany' : await lookAround(api, wanted, { ...scope, signal });
  if (there === 'tooMany') yield* readSingly(api, wanted.missing(), signal);
  else yield* readByPages(api, { ...there, wanted }, signal);
}

/** The names that are wanted. Those of tens of thousands are in memory once. */
class Wanted {
  readonly #names: NameTable;
  /** Names that were not yielded yet. */
  size: number;
  /** Names that a list showed. */
  seenSize = 0;

  constructor(names: NameTable) {
    this.#names = names;
    this.size = names.size;
    for (let item = 0; item < names.size; item += 1) names.mark(item, MISSING);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  *missing(): Generator<Address> {
    for (const item of this.#names.marked(MISSING)) yield this.#names.nameAt(item);
  }

  *seen(): Generator<Address> {
    for (const item of this.#names.marked(SEEN)) yield this.#names.nameAt(item);
  }

  *unseen(): Generator<Address> {
    for (const item of this.#names.marked(MISSING))
      if (!this.#names.isMarked(item, SEEN)) yield this.#names.nameAt(item);
  }

  seeAll(): void {
    for (const item of this.#names.marked(MISSING)) this.#see(item);
  }

  seeNothing(): void {
    for (const item of this.#names.marked(SEEN)) this.#names.unmark(item, SEEN);
    this.seenSize = 0;
  }

  /** A list shows this name. False if it is not wanted. */
  see(name: string): boolean {
    const item = this.#names.indexOf(name);
    if (item === undefined || !this.#names.isMarked(item, MISSING)) return false;
    this.#see(item);
    return true;
  }

  /** True if it was not yielded yet. */
  take(name: string): boolean {
    const item = this.#names.indexOf(name);
    if (item === undefined || !this.#names.isMarked(item, MISSING)) return false;
    this.#names.unmark(item, MISSING);
    this.size -= 1;
    return true;
  }

  #see(item: number): void {
    if (this.#names.isMarked(item, SEEN)) return;
    this.#names.mark(item, SEEN);
    this.seenSize += 1;
  }
}

/** What else is where the wanted Secrets are. */
interface Surroundings {
  /** A list with these has the wanted Secrets and no other; undefined: none can be made. */
  readonly pages: Selectors | undefined;
}

/** `tooMany`: there are so many other names that reading each wanted one is cheaper than to list them all. */
async function lookAround(
  api: SecretApi,
  wanted: Wanted,
  { signal, ...scope }: ReadScope & { readonly signal: AbortSignal },
): Promise<Surroundings | 'tooMany'> {
  const selectors = selectorsOf(scope);
  const others = (scope.listed ?? 0) - wanted.size;
  const known = [...new Set(scope.others)].filter((name) => !wanted.has(name));
  if (others === known.length) {
    wanted.seeAll();
    return { pages: withoutNames(selectors, known) };
  }
  if (others > MOST_OTHERS * wanted.size) return 'tooMany';
  const found = await otherNames(api, { wanted, selectors }, signal);
  return found === 'tooMany' ? found : { pages: withoutNames(selectors, found) };
}

/**
 * The names in a list that are not wanted, as far as a selector can leave them out; the wanted ones are noted. `tooMany` others, or
 * a list that the server fails because of one Secret: the wanted ones are read by name then.
 */
async function otherNames(
  api: SecretApi,
  { wanted, selectors }: { readonly wanted: Wanted; readonly selectors: Selectors },
  signal: AbortSignal,
): Promise<readonly Address[] | 'tooMany'> {
  const others: Address[] = [];
  const most = MOST_OTHERS * wanted.size;
  let count = 0;
  try {
    // A page that is not larger than what can still be of use.
    for await (const { invalid, items } of api.metadataPages(selectors, signal, most + wanted.size + 1)) {
      const names = [...items.map((each) => each.name), ...invalid.keys()];
      const notWanted = names.filter((each) => !wanted.see(each));
      count += notWanted.length;
      if (others.length <= MOST_LEFT_OUT) others.push(...notWanted);
      if (count > most) return 'tooMany';
    }
    return others;
  } catch (failure) {
    if (signal.aborted || !canBeOfOneSecret(failure)) throw failure;
    return 'tooMany';
  }
}

/** A Secret that cannot be read (denied by name, or not readable for the server) yields its error; a server that is gone
 * fails the iteration. */
async function* readSingly(
  api: SecretApi,
  wanted: Iterable<Address>,
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
  { pages, wanted }: Surroundings & { readonly wanted: Wanted },
  signal: AbortSignal,
): AsyncGenerator<ReadOutcome> {
  const arePaged = pages !== undefined && wanted.seenSize > FEW;
  const values = arePaged ? valuesIn(api, pages, signal) : readSingly(api, wanted.seen(), signal);
  try {
    for await (const outcome of values) {
      if (wanted.take(outcome.address)) yield outcome;
      if (wanted.size === 0) return;
    }
  } catch (failure) {
    if (signal.aborted || !arePaged || !canBeOfOneSecret(failure)) throw failure;
    yield* readSingly(api, wanted.missing(), signal);
    return;
  }
  yield* readUnseen(api, wanted, signal);
}

/** Names that no page showed: of another type or label by now, created just now, or absent, which one list tells of many. */
async function* readUnseen(api: SecretApi, wanted: Wanted, signal: AbortSignal): AsyncGenerator<ReadOutcome> {
  if (wanted.size <= FEW) {
    yield* readSingly(api, wanted.missing(), signal);
    return;
  }
  wanted.seeNothing();
  const found = await otherNames(api, { wanted, selectors: {} }, signal);
  if (found === 'tooMany') {
    yield* readSingly(api, wanted.missing(), signal);
    return;
  }
  for (const address of wanted.unseen()) yield { address, result: { state: 'absent' } };
  yield* readSingly(api, wanted.seen(), signal);
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
