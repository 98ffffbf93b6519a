import type { Attributes } from '../document.ts';
import type { Addressing } from './route.ts';

type Notes = Attributes['notes'];

/** Says which notes of a document travel with it; undefined for none. */
export type NoteFilter = (notes: Notes) => Notes;

/**
 * Between stores of one kind all of them. Between Kubernetes and a path store only those that are named, both ways: most
 * labels of a Secret are instructions to other controllers, and most custom metadata is no label.
 */
export function compileNotes(
  stores: { readonly source: Addressing; readonly destination: Addressing },
  labels: readonly string[],
): NoteFilter {
  if (stores.source === stores.destination) return (notes) => notes;
  const named = new Set(labels);
  return (notes = new Map()) => {
    const chosen = [...notes].filter(([key]) => named.has(key));
    return chosen.length === 0 ? undefined : new Map(chosen);
  };
}
