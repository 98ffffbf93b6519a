import type { Attributes } from '../document.ts';
import type { Addressing } from './route.ts';

type Metadata = Attributes['metadata'];

/** Says which metadata of a document travel with it; undefined for none. */
export type MetadataFilter = (metadata: Metadata) => Metadata;

/**
 * Between stores of one kind all of them. Between Kubernetes and a path store only those that are named, both ways: most
 * labels of a Secret are instructions to other controllers, and most custom metadata is no label.
 */
export function compileMetadata(
  stores: { readonly source: Addressing; readonly destination: Addressing },
  labels: readonly string[],
): MetadataFilter {
  if (stores.source === stores.destination) return (metadata) => metadata;
  const named = new Set(labels);
  return (metadata = new Map()) => {
    const chosen = [...metadata].filter(([key]) => named.has(key));
    return chosen.length === 0 ? undefined : new Map(chosen);
  };
}
