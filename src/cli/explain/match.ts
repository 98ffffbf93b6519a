import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { nearestName } from '#src/config/nearest-name.ts';

/** One document, or one key of it. */
export interface Match {
  /** Of one document; at least one. */
  readonly rows: readonly [KeyRow, ...KeyRow[]];
}

/** What a word of a person can mean in a table. */
export interface Matches {
  readonly found: readonly Match[];
  /** Where nothing is found: names that are similar, the nearest first. */
  readonly similar: readonly string[];
}

/** How the table names a row: `document/key`, or the document if it has no keys. */
export function titleOf({ key, name }: Pick<KeyRow, 'name' | 'key'>): string {
  return key === '' ? name : `${name}/${key}`;
}

/**
 * Rows that the word names: a document, or `document/key`; else the keys of this name in any document. A name can contain
 * slashes, so both can be found.
 */
export function matchesOf(rows: readonly KeyRow[], word: string): Matches {
  const documents = matchesIn(rows.filter(({ name }) => name === word));
  const keys = matchesIn(rows.filter((row) => row.key !== '' && titleOf(row) === word));
  const exact = [...documents, ...keys];
  if (exact.length > 0) return { found: exact, similar: [] };
  const named = matchesIn(rows.filter(({ key }) => key === word));
  return named.length > 0 ? { found: named, similar: [] } : { found: [], similar: similarTo(word, rows) };
}

function matchesIn(rows: readonly KeyRow[]): readonly Match[] {
  return [...Map.groupBy(rows, ({ name }) => name).values()].flatMap(([first, ...rest]) =>
    first === undefined ? [] : [{ rows: [first, ...rest] as const }],
  );
}

const MOST_SIMILAR = 5;

function similarTo(word: string, rows: readonly KeyRow[]): readonly string[] {
  const names = [...new Set(rows.flatMap((row) => [row.name, titleOf(row)]))];
  const nearest = nearestName(word, names);
  const lower = word.toLowerCase();
  const containing = names.filter((name) => name.toLowerCase().includes(lower));
  return [...new Set([...(nearest === undefined ? [] : [nearest]), ...containing])].slice(0, MOST_SIMILAR);
}
