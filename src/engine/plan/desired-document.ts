import type { Address, Document, StoredDocument } from '#src/core/document.ts';
import type { Intent } from './intent.ts';

/** The source document as it shall stand at the destination. Throws `FIELDS_COLLIDE`. */
export function desiredDocument(intent: Intent, destination: Address, source: StoredDocument): Document {
  const { notes: allNotes, ...attributes } = source.attributes;
  const notes = intent.travellingNotes(allNotes);
  return {
    address: destination,
    fields: intent.fieldNames.rename(source.fields),
    attributes: notes === undefined ? attributes : { ...attributes, notes },
  };
}
