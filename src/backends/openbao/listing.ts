import type { Address } from '#src/core/document.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { escapedName } from '#src/errors/printable.ts';
import type { Listed, ListQuery, Refusal } from '../driver.ts';
import { problemAt } from '../listing-problem.ts';
import type { KvMount } from './kv.ts';
import { joinPath } from './path.ts';
import { REPLY_LIMITS } from './reply-limits.ts';

/** Pages are large because the server decrypts and sorts the whole folder for each page. */
const PAGE_SIZE = 1_000;
/** Of a page whose reply is too large: a name can take 3 KiB of JSON, but almost none do. */
const SMALLER = 10;

/** A mount of either version, and its limits. */
export interface Listable {
  readonly kv: Pick<KvMount, 'hasPages' | 'listPage'>;
  /** Why no document and no folder can have this address, or undefined. Bounds the depth, too. */
  readonly refusalOf: (address: Address) => Refusal | undefined;
}

/**
 * All names below the folder of the query, depth first. A folder that cannot be requested, or whose request fails, is a
 * problem of that folder; a failure of the folder of the query throws.
 */
export async function* listTree(
  listable: Listable,
  query: ListQuery,
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  const { folder, meter, skips = () => false } = query;
  const paging = { ignored: !listable.kv.hasPages, size: PAGE_SIZE };
  const walk: Walk = { folders: [folder], skips, paging, meter, signal };
  for (let current = walk.folders.pop(); current !== undefined; current = walk.folders.pop()) {
    try {
      yield* listOne(listable, current, walk);
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
async function* listOne({ kv, refusalOf }: Listable, parent: Address, walk: Walk): AsyncGenerator<Listed> {
  for await (const name of listFolder(kv, parent, walk)) {
    const child = childOf(refusalOf, parent, name);
    if ('listed' in child) {
      yield child.listed;
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
type Child = { readonly folder: Address } | { readonly listed: Listed };

function childOf(refusalOf: Listable['refusalOf'], parent: Address, name: string): Child {
  const path = joinPath(parent, name);
  const folder = path.endsWith('/') ? path.slice(0, -1) : undefined;
  const problem = ONE_SEGMENT.test(name) ? refusalOf(folder ?? path) : NOT_A_NAME;
  if (problem === undefined) return folder === undefined ? { listed: { address: path } } : { folder };
  const shown = parent === '' && name !== '' ? name : `${parent}/${name}`;
  return { listed: { address: escapedName(shown), problem } };
}

/**
 * The names of one folder, page by page. A page can be short although more follows (an administrator can cap it), so
 * only an empty page is the end. A server that ignores paging sends a page above the limit, or a page that starts again
 * from the beginning: its first reply contained everything.
 */
async function* listFolder(
  kv: Listable['kv'],
  folder: Address,
  context: Omit<Walk, 'folders' | 'skips'>,
): AsyncGenerator<string> {
  const { paging } = context;
  paging.size = PAGE_SIZE;
  let after = '';
  for (;;) {
    const names = await fittingPage(kv, { folder, after }, context);
    const last = names.at(-1);
    if (last === undefined) return;
    if (after !== '' && !names.every((name) => isAfter(name, after))) {
      paging.ignored = true;
      return;
    }
    yield* names;
    if (names.length > paging.size) paging.ignored = true;
    // No name is after an empty one: a server that lists it would be asked for the same page again.
    if (paging.ignored || last === after) return;
    after = last;
  }
}

/**
 * The next page, with as many names as fit into a reply. One name always does: a server whose page of one name is too large
 * sends all names whatever it is asked, and gets the limit for a whole folder.
 */
async function fittingPage(
  kv: Listable['kv'],
  { folder, after }: { readonly folder: Address; readonly after: string },
  { paging, meter, signal }: Omit<Walk, 'folders' | 'skips'>,
): Promise<readonly string[]> {
  for (;;) {
    const limit = paging.ignored ? undefined : paging.size;
    meter?.page();
    try {
      return await kv.listPage(folder, { after, limit }, signal);
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
