import type { Address } from '#src/core/document.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { escapedName } from '#src/errors/printable.ts';
import type { Listed, ListingProblem, ListQuery, Refusal } from '../driver.ts';
import { isProblem, problemAt } from '../listing-problem.ts';
import type { KvMount } from './kv.ts';
import { joinPath } from './path.ts';
import { REPLY_LIMITS } from './reply-limits.ts';

/** Pages are large because the server decrypts and sorts the whole folder for each page. */
const PAGE_SIZE = 1_000;
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
  /** Why no document and no folder can have this address, or undefined. Bounds the depth, too. */
  readonly refusalOf: (address: Address) => Refusal | undefined;
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
    refusalOf,
  }: Pick<Listable<Named>, 'refusalOf'> & {
    readonly kv: Pick<KvMount, 'hasPages' | 'listPage'>;
  },
  query: ListQuery,
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  const pageOf = async ({ folder, ...page }: PageOfFolder, inner: AbortSignal): Promise<readonly Named[]> =>
    (await kv.listPage(folder, page, inner)).map((name) => ({ name }));
  const walked = walkTree({ hasPages: kv.hasPages, pageOf, refusalOf }, query, signal);
  for await (const each of walked) yield isProblem(each) ? each : { address: each.address };
}

/**
 * All documents below the folder of the query, depth first. A folder that cannot be requested, or whose request fails, is a
 * problem of that folder; a failure of the folder of the query throws.
 */
export async function* walkTree<T extends Named>(
  listable: Listable<T>,
  query: ListQuery,
  signal: AbortSignal,
): AsyncGenerator<Walked<T> | ListingProblem> {
  const { folder, meter, skips = () => false } = query;
  const paging = { ignored: !listable.hasPages, size: PAGE_SIZE };
  const walk: Walk = { folders: [folder], skips, paging, meter, signal };
  for (let current = walk.folders.pop(); current !== undefined; current = walk.folders.pop()) {
    try {
      yield* walkFolder(listable, current, walk);
    } catch (failure) {
      if (current === folder) throw failure;
      yield problemAt(`${current}/`, failure, signal);
    }
  }
}

interface Walk {
  /** Folders that are still to be listed. */
  readonly folders: Address[];
  readonly skips: (folder: Address) => boolean;
  readonly paging: Paging;
  readonly meter: ListQuery['meter'];
  readonly signal: AbortSignal;
}

interface Paging {
  /** The server sends all names at once. */
  ignored: boolean;
  /** Names per page. */
  size: number;
}

/** The documents and problems of one folder; adds the folders in it to the walk. */
async function* walkFolder<T extends Named>(
  listable: Listable<T>,
  parent: Address,
  walk: Walk,
): AsyncGenerator<Walked<T> | ListingProblem> {
  for await (const item of listFolder(listable, parent, walk)) {
    const child = childOf(listable.refusalOf, parent, item.name);
    if ('address' in child) {
      yield 'problem' in child ? child : { address: child.address, item };
      continue;
    }
    walk.meter?.folder(child.folder);
    if (!walk.skips(child.folder)) walk.folders.push(child.folder);
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

/**
 * The names of one folder, page by page. A page can be short although more follows (an administrator can cap it), so
 * only an empty page is the end. A server that ignores paging sends a page above the limit, or a page that starts again
 * from the beginning: its first reply contained everything.
 */
async function* listFolder<T extends Named>(
  listable: Listable<T>,
  folder: Address,
  context: Omit<Walk, 'folders' | 'skips'>,
): AsyncGenerator<T> {
  const { paging } = context;
  paging.size = PAGE_SIZE;
  let after = '';
  for (;;) {
    const items = await fittingPage(listable, { folder, after }, context);
    const last = items.at(-1)?.name;
    if (last === undefined) return;
    if (after !== '' && !items.every(({ name }) => isAfter(name, after))) {
      paging.ignored = true;
      return;
    }
    yield* items;
    if (items.length > paging.size) paging.ignored = true;
    // No name is after an empty one: a server that lists it would be asked for the same page again.
    if (paging.ignored || last === after) return;
    after = last;
  }
}

/**
 * The next page, with as many names as fit into a reply. One name always does: a server whose page of one name is too large
 * sends all names whatever it is asked, and gets the limit for a whole folder.
 */
async function fittingPage<T extends Named>(
  listable: Listable<T>,
  { folder, after }: Pick<PageOfFolder, 'folder' | 'after'>,
  { paging, meter, signal }: Omit<Walk, 'folders' | 'skips'>,
): Promise<readonly T[]> {
  for (;;) {
    const limit = paging.ignored ? undefined : paging.size;
    meter?.page();
    try {
      return await listable.pageOf({ folder, after, limit }, signal);
    } catch (failure) {
      if (!hasCode(failure, 'REPLY_TOO_LARGE')) throw failure;
      if (limit === undefined) throw tooManyNames(folder);
      if (limit === 1) paging.ignored = true;
      else paging.size = Math.max(1, Math.floor(limit / SMALLER));
    }
  }
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
