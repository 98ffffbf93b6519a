import type { Attributes } from '../document.ts';
import type { Addressing } from './route.ts';

type Metadata = Attributes['metadata'];

/** Selects the metadata that are copied with a document; undefined for none. */
export type MetadataFilter = (metadata: Metadata) => Metadata;

/**
 * Between backends of one addressing: all metadata. Between Kubernetes and a path backend: only those in `labels`, in both
 * directions, because most labels of a Secret are instructions to other controllers and most custom metadata is not a label.
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
