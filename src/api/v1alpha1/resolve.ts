import { z } from 'zod';
import { jsonOrUndefined } from '#src/json/parse.ts';
import { parseWith } from '#src/schema/parse.ts';
import { MAX_ROW_NAME, MAX_ROW_VERSION } from './status-row.ts';

/*
 * The annotation `keyferry.io/resolve` of a SecretMigration: which side wins a conflict, in which versions of both sides.
 *
 *   [{"name":"db","winner":"source","source":"41327","destination":"7"}]
 */

/** Maximum characters of the annotation. */
export const MAX_RESOLVE_LENGTH = 32 * 1024;
/** Maximum number of its entries. */
export const MAX_RESOLUTIONS = 256;

const SeenSchema = z
  .string({ error: 'must be a version as the row shows it, in quotes' })
  .max(MAX_ROW_VERSION, { error: 'is longer than a version' })
  .nullish()
  // What kubectl prints for a side without a version.
  .transform((text) => (text === null || text === '' ? undefined : text));

const ResolveSchema = z
  .array(
    z.strictObject(
      {
        name: z
          .string({ error: 'must be the name of a document, in quotes' })
          .min(1, { error: 'is empty' })
          .max(MAX_ROW_NAME, { error: 'is longer than a name in a row' }),
        winner: z.enum(['source', 'destination'], { error: 'must be "source" or "destination"' }),
        source: SeenSchema,
        destination: SeenSchema,
      },
      { error: 'must be an object with name, winner, source and destination only' },
    ),
    { error: 'must be a list' },
  )
  .max(MAX_RESOLUTIONS, { error: `has more than ${MAX_RESOLUTIONS} entries` });

/** What one entry says, without its name. */
export interface Resolve {
  readonly winner: 'source' | 'destination';
  /** The versions that the user saw; undefined: nothing was there. */
  readonly seen: Readonly<Record<'source' | 'destination', string | undefined>>;
}

/**
 * Reads the annotation; undefined: there is none. Entries for the keys of one document may repeat. The problem is one short
 * sentence without a text of the annotation.
 */
export function parseResolve(
  text: string | undefined,
): { readonly byName: ReadonlyMap<string, Resolve> } | { readonly problem: string } {
  if (text === undefined) return { byName: new Map() };
  if (text.length > MAX_RESOLVE_LENGTH)
    return { problem: `it has more than ${MAX_RESOLVE_LENGTH} characters` };
  const json = jsonOrUndefined(text);
  if (json === undefined) return { problem: 'it is not JSON' };
  const parsed = parseWith(ResolveSchema, json);
  if (!parsed.ok) return { problem: parsed.problems[0]?.replace(/^object: /, 'it ') ?? 'it is not a list' };
  const byName = new Map<string, Resolve>();
  for (const [index, { destination, name, source, winner }] of parsed.value.entries()) {
    const other = byName.get(name);
    const resolution = { winner, seen: { source, destination } };
    if (other !== undefined && !isSame(other, resolution))
      return { problem: `[${index}].name: has two different entries` };
    byName.set(name, resolution);
  }
  return { byName };
}

function isSame(left: Resolve, right: Resolve): boolean {
  return (
    left.winner === right.winner &&
    left.seen.source === right.seen.source &&
    left.seen.destination === right.seen.destination
  );
}
