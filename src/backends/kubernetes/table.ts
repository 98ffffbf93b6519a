import { z } from 'zod';
import { ListMeta, Metadata, parseMetadataPage, parsePage, type Page, type WireSecret } from './codec.ts';

/*
 * Secrets as the API server replies to `as=Table` (API concepts, "Receiving resources as Tables"). Their columns are Name, Type,
 * Data (the number of keys) and Age; each row has the metadata of its Secret, and no value. Metadata alone has no type.
 */

const Table = z.object({
  metadata: ListMeta,
  columnDefinitions: z.array(z.object({ name: z.string() })).nullish(),
  rows: z.array(z.object({ cells: z.array(z.unknown()), object: z.unknown() })).nullable(),
});

const WithType = z
  .object({ metadata: Metadata, type: z.string().optional() })
  .transform(({ metadata, type }): TypedMetadata => ({ metadata, type }));

/** A Secret without its values. */
export interface TypedMetadata {
  readonly metadata: WireSecret['metadata'];
  /** Undefined if the server does not tell it. */
  readonly type: string | undefined;
}

/** A page of a Table or, of what serves none, of metadata. Throws `REPLY_INVALID` as `parsePage` does. */
export function parseTypedPage(reply: unknown, op: string, target: string): Page<TypedMetadata> {
  const table = Table.safeParse(reply);
  if (!table.success) {
    const { items, ...page } = parseMetadataPage(reply, op, target);
    return { ...page, items: items.map((metadata) => ({ metadata, type: undefined })) };
  }
  const { columnDefinitions, metadata, rows } = table.data;
  const column = columnDefinitions?.findIndex(({ name }) => name === 'Type') ?? -1;
  const items = (rows ?? []).map(({ cells, object }) => typed(object, cells[column]));
  return parsePage(WithType, { metadata, items }, { op, target });
}

/** The object of a row, with the cell of its type. */
function typed(object: unknown, type: unknown): unknown {
  const isKnown = typeof object === 'object' && typeof type === 'string' && type !== '';
  return isKnown ? { ...object, type } : object;
}
