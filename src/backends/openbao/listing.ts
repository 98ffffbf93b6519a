import type { Address } from '#src/core/document.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { escapedName } from '#src/errors/printable.ts';
import type { Width } from '#src/io/map-concurrently.ts';
import { walkConcurrently, type Step } from '#src/io/walk-concurrently.ts';
import type { Refusal } from '../refusal.ts';
import type { Listed, ListingProblem, ListQuery } from '../listing.ts';
import { isProblem, problemAt } from '../listing-problem.ts';
import type { KvMount } from './kv.ts';
import { joinPath } from './path.ts';
import { PAGE_NAMES, REPLY_LIMITS } from './reply-limits.ts';

/**
 * Names of a page at most. The server decrypts and sorts the whole folder for each page, so a listing costs it the names times
 * the pages: each page is twice as large as the one before.
 */
const LARGEST_PAGE = 80_000;
/** Folders that one listing requests side by side. */
const FOLDERS_AT_ONCE = 4;
/** Of a page whose reply is too large: a name can take 3 KiB of JSON, but almost none do. */
const SMALLER = 10;

/** A name in a folder as the server lists it; a folder ends in a slash. */
export interface Named {
  readonly name: string;
}

/** Which names of a folder to request: those after `after` ('': from the first), `limit` of them (undefined: all). */
export interface PageOfFolder {
  readonly folder: Address;
  readonly after: string;
  readonly limit: number | undefined;
}

/** A mount of either version, what is requested of its folders, and its limits. */
export interface Listable<T extends Named> {
  /** A server can ignore it. */
  readonly hasPages: boolean;
  /** As `KvMount.listPage`, with more of each name. */
  readonly pageOf: (page: PageOfFolder, signal: AbortSignal) => Promise<readonly T[]>;
  /** Names of a page at most; default: as many as fit into a reply. */
  readonly largestPage?: number;
  /** Why no document and no folder can have this address, or undefined. Bounds the depth, too. */
  readonly refusalOf: (address: Address) => Refusal | undefined;
  /** Requests at once, at most. */
  readonly width: Width;
}

/** A document, with what the server lists of it. */
export interface Walked<T extends Named> {
  readonly address: Address;
  readonly item: T;
}

/** Throws `CAPABILITY_MISSING` for a query by labels. */
export function requireNoSelector({ labelSelector }: ListQuery): void {
  if (labelSelector === undefined) return;
  throw new OperatorError('CAPABILITY_MISSING', {
    op: 'openbao.list',
    detail: 'Documents of a KV store have no labels.',
    hint: 'Select by names or all instead of labelSelector.',
  });
}

/** The names of all documents below the folder of the query, as `walkTree` finds them. */
export async function* listTree(
  {
    kv,
    ...listable
  }: Pick<Listable<Named>, 'refusalOf' | 'width'> & {
    readonly kv: Pick<KvMount, 'hasPages' | 'listPage'>;
  },
  query: ListQuery,
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  const pageOf = async ({ folder, ...page }: PageOfFolder, inner: AbortSignal): Promise<readonly Named[]> =>
    (await kv.listPage(folder, page, inner)).map((name) => ({ name }));
  const walked = walkTree({ ...listable, hasPages: kv.hasPages, pageOf }, query, signal);
  for await (const each of walked) yield isProblem(each) ? each : { address: each.address };
}

/**
 * All documents below the folder of the query, folders side by side. A folder that cannot be requested, or whose request fails,
 * is a problem of that folder; a failure of the folder of the query throws.
 */
export async function* walkTree<T extends Named>(
  listable: Listable<T>,
  query: ListQuery,
  signal: AbortSignal,
): AsyncGenerator<Walked<T> | ListingProblem> {
  const walk = new Walk(listable, query, signal);
  const { width } = listable;
  const most = (): number => Math.min(FOLDERS_AT_ONCE, typeof width === 'number' ? width : width());
  const pages = walkConcurrently(walk.start(query.folder), most, async (turn) => walk.take(turn));
  for await (const found of pages) yield* found;
}

/** The next page of a folder to request. */
interface Turn {
  readonly folder: Address;
  readonly after: string;
  /** Names to request. */
  readonly size: number;
  /** Larger pages fit into a reply, as far as is known. */
  readonly grows: boolean;
  /** A limit is refused, so none is sent: an administrator has set a smaller one, which counts then. */
  readonly isCapped: boolean;
  /** The folders in it, so far: they are requested once it is complete, so that a walk does not spread. */
  readonly folders: readonly Address[];
}

interface Page<T> extends Pick<Turn, 'isCapped' | 'size'> {
  readonly items: readonly T[];
}

class Walk<T extends Named> {
  readonly #listable: Listable<T>;
  readonly #query: ListQuery;
  readonly #signal: AbortSignal;
  /** The server sends all names at once. */
  #ignoresPages: boolean;

  constructor(listable: Listable<T>, query: ListQuery, signal: AbortSignal) {
    this.#listable = listable;
    this.#query = query;
    this.#signal = signal;
    this.#ignoresPages = !listable.hasPages;
  }

  start(folder: Address): Turn {
    return {
      folder,
      after: '',
      size: Math.min(PAGE_NAMES, this.#largest),
      grows: true,
      isCapped: false,
      folders: [],
    };
  }

  /** One page: its documents and problems, and what is to be requested because of it. */
  async take(turn: Turn): Promise<Step<Turn, Iterable<Walked<T> | ListingProblem>>> {
    try {
      const page = await this.#fittingPage(turn);
      const isRepeated = turn.after !== '' && !page.items.every(({ name }) => isAfter(name, turn.after));
      if (isRepeated) this.#ignoresPages = true;
      const items = isRepeated ? [] : page.items;
      const found = { ...turn, folders: [...turn.folders, ...this.#foldersIn(turn.folder, items)] };
      return {
        result: this.#documentsIn(turn.folder, items),
        more: this.#isLast(turn, page) ? this.#below(found) : [this.#after(found, page)],
      };
    } catch (failure) {
      if (turn.folder === this.#query.folder) throw failure;
      const problem = problemAt(`${turn.folder}/`, failure, this.#signal);
      return { result: [problem], more: this.#below(turn) };
    }
  }

  /**
   * A page can be short although more follows (a policy can hide names), so only an empty page is the end, unless the caller
   * can miss names. A server that ignores paging sends a page above the limit, or a page that starts again from the beginning:
   * its first reply contained everything.
   */
  #isLast({ after }: Turn, { items, isCapped, size }: Page<T>): boolean {
    if (!isCapped && items.length > size) this.#ignoresPages = true;
    if (this.#ignoresPages) return true;
    const last = items.at(-1)?.name;
    // No name is after an empty one: a server that lists it would be asked for the same page again.
    if (last === undefined || last === after) return true;
    return this.#query.mayMiss === true && !isCapped && items.length < size;
  }

  #after(turn: Turn, { items, isCapped, size }: Page<T>): Turn {
    const grows = turn.grows && size === turn.size;
    const next = grows && items.length === size ? Math.min(2 * size, this.#largest) : size;
    return { ...turn, after: items.at(-1)?.name ?? '', size: next, grows, isCapped };
  }

  /** The folders that are to be requested because of a page. */
  #foldersIn(parent: Address, items: readonly T[]): readonly Address[] {
    const { meter, skips } = this.#query;
    const folders: Address[] = [];
    for (const { name } of items) {
      if (!name.endsWith('/')) continue;
      const child = childOf(this.#listable.refusalOf, parent, name);
      if (!('folder' in child)) continue;
      meter?.folder(child.folder);
      if (skips?.(child.folder) !== true) folders.push(child.folder);
    }
    return folders;
  }

  /** Made one at a time: a page can have tens of thousands. */
  *#documentsIn(parent: Address, items: readonly T[]): Generator<Walked<T> | ListingProblem> {
    for (const item of items) {
      const child = childOf(this.#listable.refusalOf, parent, item.name);
      if ('address' in child) yield 'problem' in child ? child : { address: child.address, item };
    }
  }

  /**
   * The next page, with as many names as fit into a reply. One name always does: a server whose page of one name is too large
   * sends all names whatever it is asked, and gets the limit for a whole folder.
   */
  async #fittingPage(turn: Turn): Promise<Page<T>> {
    const { folder, after } = turn;
    let { isCapped, size } = turn;
    for (;;) {
      const limit = this.#ignoresPages || isCapped ? undefined : size;
      this.#query.meter?.page();
      try {
        const items = await this.#listable.pageOf({ folder, after, limit }, this.#signal);
        return { items, size, isCapped };
      } catch (failure) {
        if (limit === undefined) throw hasCode(failure, 'REPLY_TOO_LARGE') ? tooManyNames(folder) : failure;
        ({ isCapped, size } = this.#smaller(failure, limit));
      }
    }
  }

  /**
   * What to ask for after the failure of a page with this limit. OpenBao refuses a limit above the `pagination_limit` of a policy; a
   * page without a limit ends there.
   */
  #smaller(failure: unknown, limit: number): Pick<Turn, 'isCapped' | 'size'> {
    if (hasCode(failure, 'AUTH_DENIED')) return { isCapped: true, size: limit };
    if (!hasCode(failure, 'REPLY_TOO_LARGE')) throw failure;
    if (limit === 1) this.#ignoresPages = true;
    return { isCapped: false, size: Math.max(1, Math.floor(limit / SMALLER)) };
  }

  #below({ folders }: Turn): readonly Turn[] {
    return folders.map((each) => this.start(each));
  }

  get #largest(): number {
    return this.#listable.largestPage ?? LARGEST_PAGE;
  }
}

/** What the server lists must be one segment; a slash at its end marks a folder. */
const ONE_SEGMENT = /^[^/]+\/?$/;
const NOT_A_NAME: Refusal = {
  reason: 'PathRefused',
  message: 'The server listed an empty name, or a name with a slash in it.',
};

/** A folder to list; else a document, or why it or a folder cannot have this name. */
type Child = { readonly folder: Address } | Listed;

function childOf(refusalOf: Listable<Named>['refusalOf'], parent: Address, name: string): Child {
  const path = joinPath(parent, name);
  const folder = path.endsWith('/') ? path.slice(0, -1) : undefined;
  const problem = ONE_SEGMENT.test(name) ? refusalOf(folder ?? path) : NOT_A_NAME;
  if (problem === undefined) return folder === undefined ? { address: path } : { folder };
  const shown = parent === '' && name !== '' ? name : `${parent}/${name}`;
  return { address: escapedName(shown), problem };
}

function tooManyNames(folder: Address): OperatorError {
  const { maxBytes, maxTokens } = REPLY_LIMITS.folder;
  return new OperatorError('SELECTION_TOO_LARGE', {
    op: 'openbao.list',
    target: folder,
    detail: `The server sends all names of a folder at once, and these are more than ${maxBytes} bytes or about ${maxTokens} names.`,
  });
}

/** Bytewise, as the server sorts. */
function isAfter(name: string, previous: string): boolean {
  return Buffer.compare(Buffer.from(name), Buffer.from(previous)) > 0;
}
