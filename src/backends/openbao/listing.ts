import type { Address } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Entry, ListQuery } from '../driver.ts';
import type { KvMount } from './kv.ts';
import { joinPath, pathRefusalOf } from './path.ts';

/** Pages are large because the server decrypts and sorts the whole folder for each page. */
const PAGE_SIZE = 1_000;
/** Levels of nested folders; deeper documents have no valid address (path.ts). */
const MAX_DEPTH = 16;

/** A mount of either version. */
type Listable = Pick<KvMount, 'listPage'>;

/**
 * All names below the folder of the query, depth first. Yields a folder without a valid address as `name/`, which
 * `addressRefusalOf` refuses: it is shown, not silently left out.
 */
export async function* listTree(kv: Listable, query: ListQuery, signal: AbortSignal): AsyncGenerator<Entry> {
  const { folder, skips = () => false } = query;
  const folders: Address[] = [folder];
  const paging = { ignored: false };
  for (let current = folders.pop(); current !== undefined; current = folders.pop()) {
    for await (const name of listFolder(kv, current, { paging, signal })) {
      const path = joinPath(current, name);
      const child = name.endsWith('/') ? path.slice(0, -1) : undefined;
      if (child === undefined || pathRefusalOf(child) !== undefined) yield { address: path };
      else if (!skips(child)) folders.push(withinDepth(child));
    }
  }
}

/**
 * The names of one folder, page by page. A page can be short although more follows (an administrator can cap it), so
 * only an empty page is the end. A server that ignores paging sends a page above the limit, or a page that starts again
 * from the beginning: its first reply contained everything.
 */
async function* listFolder(
  kv: Listable,
  folder: Address,
  context: { readonly paging: { ignored: boolean }; readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const { paging, signal } = context;
  let after = '';
  for (;;) {
    const names = await kv.listPage(folder, { after, limit: PAGE_SIZE }, signal);
    const last = names.at(-1);
    if (last === undefined) return;
    if (after !== '' && !names.every((name) => isAfter(name, after))) {
      paging.ignored = true;
      return;
    }
    yield* names;
    if (names.length > PAGE_SIZE) paging.ignored = true;
    if (paging.ignored) return;
    after = last;
  }
}

/** Bytewise, as the server sorts. */
function isAfter(name: string, previous: string): boolean {
  return Buffer.compare(Buffer.from(name), Buffer.from(previous)) > 0;
}

function withinDepth(folder: Address): Address {
  if (folder.split('/').length <= MAX_DEPTH) return folder;
  throw new OperatorError('CAPABILITY_MISSING', {
    op: 'openbao.list',
    target: folder,
    detail: `Folders are nested deeper than ${MAX_DEPTH} levels.`,
    hint: 'Set spec.openbao.prefix or spec.mapping.path to a folder nearer to the documents.',
  });
}
