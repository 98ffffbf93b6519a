import type { Document } from '#src/core/document.ts';
import { quoted } from '#src/errors/explain.ts';
import type { Refusal } from './refusal.ts';

/** Why a store of bytes, such as `A Secret`, does not hold this document: a JSON value of it. Undefined if it has none. */
export function jsonRefusalOf({ fields }: Pick<Document, 'fields'>, store: string): Refusal | undefined {
  for (const [name, value] of fields) {
    if (!value.isJson) continue;
    const what = `Key ${quoted(name)} has a JSON value that is not a string, and ${store} holds bytes only.`;
    const hint = 'Set spec.mapping.jsonValues to AsText, or exclude the document.';
    return { reason: 'NotRepresentable', message: `${what} ${hint}` };
  }
  return undefined;
}
