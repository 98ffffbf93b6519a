import type { Address, Document } from '#src/core/document.ts';
import type { Intent } from './intent.ts';

/** The document that the destination should have. Throws `KEYS_COLLIDE`. */
export function desiredDocument(intent: Intent, destination: Address, source: Document): Document {
  const { metadata: allMetadata, ...attributes } = source.attributes;
  const metadata = intent.travellingMetadata(allMetadata);
  return {
    address: destination,
    fields: intent.keyNames.rename(source.fields),
    attributes: metadata === undefined ? attributes : { ...attributes, metadata },
  };
}
