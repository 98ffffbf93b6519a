import type { StatusRow } from './status-row.ts';

/*
 * The table is stored as a row for the keys that are alike, and shown as a row for each key. This is the only place that
 * makes one of the other.
 */

type Destination = NonNullable<StatusRow['destination']>;

/** What the table says of one key. */
export interface KeyRow extends Omit<StatusRow, 'keys' | 'destination'> {
  /** Empty for a document without keys, or one that was not read. */
  readonly key: string;
  readonly destination?: KeyDestination | undefined;
}

interface KeyDestination extends Omit<Destination, 'keys'> {
  /** The name of the key there; absent if it is the same. */
  readonly key?: string | undefined;
}

/** A row for each key, in the order of the keys; one for a document without keys. */
export function keyRowsOf(rows: Iterable<StatusRow>): readonly KeyRow[] {
  return [...rows].flatMap(keyRowsIn);
}

function keyRowsIn({ keys, name, destination, ...rest }: StatusRow): readonly KeyRow[] {
  if (destination === undefined) return namesOf(keys).map((key) => ({ name, key, ...rest }));
  const { keys: newKeys, path, ...place } = destination;
  return namesOf(keys).map((key, index) => {
    const newKey = newKeys?.[index] ?? key;
    const there = newKey === key ? { path, ...place } : { path, key: newKey, ...place };
    return { name, key, ...rest, destination: there };
  });
}

function namesOf(keys: readonly string[]): readonly string[] {
  return keys.length === 0 ? [''] : keys;
}
